"""The picture of a training run."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sb3_delta_waypoint.files import write_atomically


def plot_history(history: Sequence[dict[str, float]], best: dict[str, Any], path: str | Path) -> Path:
    """
    Draw the losses and the held-out errors over the steps of a training run, and the best model's error by horizon step.

    :param history: rows of ``SFTResult.history``
    :param best: ``SFTResult.metrics``
    :param path: the PNG file, written atomically
    :return: the path
    """
    # needed for this picture alone, and slow to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    losses, errors, horizon = figure.subplots(1, 3)
    steps = [row["step"] for row in history]
    blue, orange, grey = "#1f6fb4", "#e07b1a", "0.45"

    losses.plot(steps, [row["train_loss"] for row in history], color=blue, label="training")
    losses.plot(steps, [row["validation_loss"] for row in history], color=orange, label="held out")
    losses.set(title="Loss (smooth L1)", ylabel="m", yscale="log")

    errors.plot(steps, [row["validation_fde"] for row in history], color=orange, label="FDE")
    errors.plot(steps, [row["validation_ade"] for row in history], color=blue, label="ADE")
    errors.axvline(best["step"], color=grey, linestyle=":", linewidth=1)
    errors.plot(best["step"], best["validation_ade"], "o", color=blue, label=f"kept: ADE {best['validation_ade']:.3f} m")
    errors.set(title="Held-out displacement error", ylabel="m", ylim=(0, None))

    displacement = best["displacement"]
    horizon.plot(range(1, len(displacement) + 1), displacement, "o-", color=blue, markersize=3, label="kept model")
    horizon.set(title="Held-out displacement by waypoint", ylabel="m", ylim=(0, None), xlabel="waypoint")
    horizon.xaxis.get_major_locator().set_params(integer=True)

    for axes in (losses, errors):
        axes.set_xlabel("gradient step")
        axes.legend(frameon=False)
    for axes in (losses, errors, horizon):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)

    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return write_atomically(path, picture.getvalue())
