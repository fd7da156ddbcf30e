"""Training the planner by behaviour cloning."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.nn import functional as F

from sb3_delta_waypoint.episodes.reader import Episode
from sb3_delta_waypoint.files import write_json
from sb3_delta_waypoint.sft.checkpoint import save_planner
from sb3_delta_waypoint.sft.data import Frames, frames_of, plans_of, split
from sb3_delta_waypoint.sft.planners.finding import import_path_of, new_planner
from sb3_delta_waypoint.sft.planners.mlp import SFTWaypointModel
from sb3_delta_waypoint.sft.planners.protocol import check_trainable, observation_keys
from sb3_delta_waypoint.sft.plot import plot_history

N_EVALUATIONS = 40
"""Minimum number of evaluations on the held-out data in a training run; they are at most ``MAX_INTERVAL`` steps apart."""
MAX_INTERVAL = 500
"""Maximum number of gradient steps between two evaluations."""
TIE = 1.05
"""Ratio to the lowest ADE within which ADEs count as equal. Among equal ones the latest is kept: a few held-out drives cannot
tell such planners apart, and the one that was trained for longer drives better."""
LOSS_BETA = 0.1
"""Error in metres below which the loss is quadratic and above which it is linear."""
PREDICTED_AT_ONCE = 8192
"""Number of held-out frames in one forward pass."""


@dataclass(frozen=True)
class TrainingSettings:
    """The arguments of :func:`train_sft` that are stored with a run."""

    num_steps: int
    batch_size: int
    learning_rate: float
    seed: int
    validation_fraction: float

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a positive number")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction is {self.validation_fraction}; expected more than 0 and less than 1")


@dataclass
class SFTResult:
    """
    The result of a training run: the planner, its learning curve and its held-out errors.

    :param model: the planner with the weights of the best evaluation, in evaluation mode
    :param history: one row per evaluation: ``step``, ``train_loss`` and ``validation_loss``, ``validation_ade`` and
        ``validation_fde`` in metres, ``learning_rate``
    :param metrics: metrics of the model on the held-out frames: ``step`` of its evaluation (0: none yet), ``validation_loss``,
        ``validation_ade``, ``validation_fde`` and ``displacement`` (H,) by horizon step, metres
    :param config: ``planner`` (class), ``model`` (architecture), ``training`` (settings) and ``data`` (how much there was, and
        what was held out)
    :param interrupted: whether Ctrl-C cut the training short
    """

    model: nn.Module
    history: list[dict[str, float]]
    metrics: dict[str, Any]
    config: dict[str, Any]
    interrupted: bool = False


def train_sft(
    episodes: Sequence[Episode],
    *,
    planner: str | type[nn.Module] = SFTWaypointModel,
    planner_kwargs: Mapping[str, Any] | None = None,
    num_steps: int = 2000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    seed: int = 0,
    validation_fraction: float = 0.2,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> SFTResult:
    """
    Train a planner by behaviour cloning: Adam minimises the smooth L1 error (Girshick, Fast R-CNN, 2015) of the waypoints in
    metres.

    A share of the episodes is held out; if there are fewer than five episodes, a share of the frames. The weights with the
    lowest ADE on the held-out data are kept; among evaluations within 5% of the lowest ADE, the latest. The errors on the
    held-out data give ``residual_std`` if the planner has that buffer. Ctrl-C ends the training early and keeps the best
    weights up to then (see ``SFTResult.interrupted``). The same seed gives the same planner.

    :param episodes: demonstrations with plans of one horizon
    :param planner: class of the planner, a ``torch.nn.Module`` that satisfies
        :class:`~sb3_delta_waypoint.sft.planners.protocol.WaypointPlanner`, its import path, ``"package.module:Class"``, or
        a short name: ``"mlp"``, ``"attention"``, ``"pooled"``
    :param planner_kwargs: arguments of the class, such as
        ``{"hidden_dims": (128, 128), "groups": ("state", "route", "signal")}``; ``horizon_steps`` and ``plan_dt`` are taken
        from the episodes
    :param num_steps: number of gradient steps
    :param batch_size: frames per step, drawn with replacement
    :param learning_rate: learning rate at the first step; it falls to zero along a cosine
    :param seed: seed of the initial weights, the split and the batches
    :param validation_fraction: share of the data that is held out, between 0 and 1
    :param device: device to train on
    :param progress: whether to show a progress bar
    :return: the planner, its history and its metrics
    :raises ValueError: if an argument is out of range, there is too little data, the planner does not satisfy the protocol, or
        the loss is not finite
    """
    settings = TrainingSettings(num_steps, batch_size, learning_rate, seed, validation_fraction)
    horizon_steps, plan_dt = plans_of(episodes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any
        model, name = new_planner(planner, horizon_steps, plan_dt, planner_kwargs or {})
        frames = frames_of(episodes, observation_keys(model), torch.device(device))
        train, held_out, data = split(episodes, frames, validation_fraction, seed)
        model.to(device)
        if hasattr(model, "fit_normalisation"):
            try:
                model.fit_normalisation(train.observations, train.waypoints)
            except Exception as error:  # whatever its code raises
                raise ValueError(f"planner '{name}': fit_normalisation(observations, waypoints) fails: {error}") from error
        check_trainable(model, train[torch.arange(min(len(train), 2))].observations, name)

    history: list[dict[str, float]] = []
    interrupted = False
    with progress_bar(disable=not progress) as bar:
        task = bar.add_task("Training the planner", total=num_steps, note="")
        best_step, best_weights = 0, model.state_dict()
        try:
            for row in _fit(model, train, held_out, settings):
                history.append(row)
                lowest = min(row["validation_ade"] for row in history)
                if row["validation_ade"] <= TIE * lowest:
                    best_step, best_weights = int(row["step"]), copy.deepcopy(model.state_dict())
                bar.update(task, completed=row["step"], note=f"held-out ADE {row['validation_ade']:.3f} m")
        except KeyboardInterrupt:
            interrupted = True
    model.load_state_dict(best_weights)
    model.eval()

    errors = _errors(model, held_out)
    if isinstance(getattr(model, "residual_std", None), torch.Tensor):
        model.residual_std.copy_(errors.std(dim=0, correction=0))
    metrics = {
        "step": best_step,
        **_summary(errors),
        "displacement": errors.norm(dim=-1).mean(dim=0).tolist(),
    }
    described = {"planner": import_path_of(type(model)), "model": model.config()}
    config = {**described, "training": asdict(settings), "data": data}
    return SFTResult(model, history, metrics, config, interrupted)


def save_run(result: SFTResult, out_dir: str | Path) -> Path:
    """
    Write the files of a training run, each atomically: ``model.pt``, ``config.json``, ``metrics.json`` and ``loss.png``.

    :param result: the result of :func:`train_sft`
    :param out_dir: the folder, created if it does not exist
    :return: the path of ``model.pt``
    """
    out_dir = Path(out_dir)
    model_path = save_planner(result.model, out_dir / "model.pt")
    write_json(out_dir / "config.json", result.config)
    metrics = {"best": result.metrics, "history": result.history, "interrupted": result.interrupted}
    write_json(out_dir / "metrics.json", metrics)
    plot_history(result.history, result.metrics, out_dir / "loss.png")
    return model_path


def _fit(model: nn.Module, train: Frames, held_out: Frames, settings: TrainingSettings) -> Iterator[dict[str, float]]:
    """Train a planner, and yield a row of the history at each evaluation."""
    device = train.waypoints.device
    generator = torch.Generator(device).manual_seed(settings.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.num_steps)
    evaluate_every = min(max(settings.num_steps // N_EVALUATIONS, 1), MAX_INTERVAL)
    losses: list[torch.Tensor] = []
    for step in range(1, settings.num_steps + 1):
        learning_rate = float(schedule.get_last_lr()[0])
        batch = train[torch.randint(len(train), (settings.batch_size,), generator=generator, device=device)]
        loss = waypoint_loss(model(batch.observations)[1] - batch.waypoints)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        if step % evaluate_every == 0 or step == settings.num_steps:
            train_loss = torch.stack(losses).mean().item()
            losses.clear()
            if not math.isfinite(train_loss):
                remedy = f"try a learning_rate below {settings.learning_rate}"
                raise ValueError(f"the training loss is {train_loss} at step {step}; {remedy}")
            yield {
                "step": step,
                "train_loss": train_loss,
                **_summary(_errors(model, held_out)),
                "learning_rate": learning_rate,
            }


@torch.no_grad()
def _errors(model: nn.Module, frames: Frames) -> torch.Tensor:
    """Return predicted minus expert waypoints, (N, H, 2), metres, with the planner in evaluation mode."""
    training = model.training
    model.eval()
    parts = torch.arange(len(frames), device=frames.waypoints.device).split(PREDICTED_AT_ONCE)
    errors = torch.cat([model(frames[part].observations)[1] - frames[part].waypoints for part in parts])
    model.train(training)
    return errors


def waypoint_loss(errors: torch.Tensor) -> torch.Tensor:
    """
    Return the loss of behaviour cloning: the smooth L1 error of the waypoints.

    :param errors: predicted minus taught waypoints, (B, H, 2), metres
    :return: scalar
    """
    return F.smooth_l1_loss(errors, torch.zeros_like(errors), beta=LOSS_BETA)


def _summary(errors: torch.Tensor) -> dict[str, float]:
    displacement = errors.norm(dim=-1)
    return {
        "validation_loss": waypoint_loss(errors).item(),
        "validation_ade": displacement.mean().item(),
        "validation_fde": displacement[:, -1].mean().item(),
    }


def progress_bar(disable: bool) -> Progress:
    """
    Return a progress bar for a training, with a field ``note``.

    :param disable: whether to show nothing
    :return: the progress bar
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, disable=disable)
