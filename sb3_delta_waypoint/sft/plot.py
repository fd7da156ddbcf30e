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
    :return: the path of the file
    """
    # needed for this picture alone, and slow to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    losses, errors, horizon = figure.subplots(1, 3)
    steps = [row["step"] for row in history]
    # colours of the Okabe-Ito palette; dashes distinguish the lines in greyscale, too
    blue, orange, grey = "#0072b2", "#d55e00", "0.45"

    losses.plot(steps, [row["train_loss"] for row in history], color=blue, label="training")
    losses.plot(steps, [row["validation_loss"] for row in history], "--", color=orange, label="held out")
    losses.set(title="Loss", ylabel="smooth L1 error (m)", yscale="log")

    errors.plot(steps, [row["validation_fde"] for row in history], "--", color=orange, label="FDE")
    errors.plot(steps, [row["validation_ade"] for row in history], color=blue, label="ADE")
    errors.axvline(best["step"], color=grey, linestyle=":", linewidth=1)
    errors.plot(best["step"], best["validation_ade"], "o", color=blue, label=f"kept: {best['validation_ade']:.3f} m")
    errors.set(title="Held-out error by step", ylabel="distance from the expert's plan (m)", ylim=(0, None))

    displacement = best["displacement"]
    horizon.plot(range(1, len(displacement) + 1), displacement, "o-", color=blue, markersize=3)
    horizon.set(title="Held-out error by waypoint, kept model", ylabel="distance from the expert's plan (m)", ylim=(0, None))
    horizon.set_xlabel("waypoint")
    horizon.xaxis.get_major_locator().set_params(integer=True)

    for axes in (losses, errors):
        axes.set_xlabel("gradient step")
        # below the axes, where the legend cannot hide a curve
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    for axes in (losses, errors, horizon):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)

    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return write_atomically(path, picture.getvalue())
