"""Training by DAgger: the learner drives, the teacher plans in the visited states, the learner is fitted to all plans."""

import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from sb3_delta_waypoint.dagger.learners import Columns, Learner
from sb3_delta_waypoint.sft.training import PREDICTED_AT_ONCE, progress_bar, waypoint_loss

MEASURED_ON = 50_000
"""Number of plans, the last ones, on which a planner's own errors are measured after the training."""
DRIVERS = ("student", "teacher")
"""Who drives while plans are collected."""


@dataclass(frozen=True)
class DaggerSettings:
    """
    The settings of :func:`train_dagger`.

    :param iterations: number of times that plans are collected and the learner is fitted
    :param env_steps: number of env steps over all iterations, rounded down to whole steps of all envs in each iteration
    :param gradient_steps: number of gradient steps in each iteration
    :param batch_size: plans per gradient step, drawn with replacement from all collected up to then
    :param learning_rate: Adam's at the first step; it falls to zero along a cosine over all iterations
    :param drive: ``"student"``, or ``"teacher"``, which is behaviour cloning on the training scenarios
    :param teacher_share: probability with which the teacher drives a step of the first iteration, in which the student is
        untrained
    :param seed: seed of the scenarios, the batches and the teacher's share
    """

    iterations: int = 8
    env_steps: int = 400_000
    gradient_steps: int = 1250
    batch_size: int = 256
    learning_rate: float = 1e-3
    drive: str = "student"
    teacher_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("iterations", "env_steps", "gradient_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a positive number")
        if self.drive not in DRIVERS:
            raise ValueError(f"drive={self.drive!r}; accepted are {', '.join(map(repr, DRIVERS))}")
        if not 0.0 <= self.teacher_share <= 1.0:
            raise ValueError(f"teacher_share is {self.teacher_share}; expected a share from 0 to 1")


@dataclass
class DaggerResult:
    """
    The result of a training run, beside the learner itself.

    :param history: one row per iteration: ``env_steps`` up to then, ``ade`` and ``fde`` [m] of the student's plans against the
        teacher's in the visited states, before it was fitted to them; ``success_rate`` of the episodes that ended (NaN if none
        did); ``loss``, mean over the gradient steps
    :param env_steps: number of env steps, each with one plan of the teacher
    :param gradient_steps: number of gradient steps
    :param cpu_seconds: CPU time of the process
    :param interrupted: whether Ctrl-C cut the training short
    """

    history: list[dict[str, float]] = field(default_factory=list)
    env_steps: int = 0
    gradient_steps: int = 0
    cpu_seconds: float = 0.0
    interrupted: bool = False


class _Plans:
    """
    The teacher's plans collected up to now, with what the learner needs to plan itself.

    :param capacity: largest number of plans
    """

    def __init__(self, capacity: int):
        self._capacity, self._size = capacity, 0
        self._stored: Columns = ()

    def __len__(self) -> int:
        return self._size

    def add(self, columns: Columns, plans: torch.Tensor) -> None:
        given = (*columns, plans)
        if not self._stored:
            self._stored = tuple(values.new_empty((self._capacity, *values.shape[1:])) for values in given)
        rows = slice(self._size, self._size + len(plans))
        for stored, values in zip(self._stored, given, strict=True):
            stored[rows] = values
        self._size += len(plans)

    def rows(self, index: torch.Tensor | slice) -> tuple[Columns, torch.Tensor]:
        *columns, plans = (stored[index] for stored in self._stored)
        return tuple(columns), plans


def train_dagger(venv: VecEnv, learner: Learner, settings: DaggerSettings, progress: bool = False) -> DaggerResult:
    """
    Train a learner by DAgger (Ross, Gordon and Bagnell, A Reduction of Imitation Learning and Structured Prediction to
    No-Regret Online Learning, AISTATS 2011), in place. In each iteration the student drives, the teacher (the env's
    ``expert_plan``) plans in every visited state, and the student is fitted to all plans collected up to then by the loss of
    behaviour cloning. Ctrl-C ends the training early and keeps what was learnt. The same seed gives the same weights.

    :param venv: envs with an expert; left in mid-episode
    :param learner: the learner, on the CPU
    :param settings: the settings
    :param progress: whether to show a progress bar
    :return: the history and the costs
    :raises ValueError: if the envs have no expert, there are fewer env steps than envs and iterations need, or the loss is not
        finite
    """
    rounds = settings.env_steps // (settings.iterations * venv.num_envs)
    if rounds < 1:
        raise ValueError(
            f"{settings.env_steps} env steps are too few for {settings.iterations} iterations of {venv.num_envs} envs: use "
            f"at least {settings.iterations * venv.num_envs}, or fewer envs"
        )
    result, started = DaggerResult(), time.process_time()
    with torch.random.fork_rng(devices=[]), progress_bar(disable=not progress) as bar:
        torch.manual_seed(settings.seed)
        run = _Run(venv, learner, settings, _Plans(settings.iterations * rounds * venv.num_envs), result)
        task = bar.add_task("Learning from the teacher", total=settings.iterations, note="")
        try:
            run.begin()
            for iteration in range(settings.iterations):
                row = run.collect(rounds, iteration)
                row["loss"] = run.fit()
                result.history.append(row)
                bar.update(task, completed=iteration + 1, note=f"ADE to the teacher {row['ade']:.3f} m")
        except KeyboardInterrupt:
            result.interrupted = True
        learner.module.eval()
        run.measure()
    result.cpu_seconds = time.process_time() - started
    return result


class _Run:
    """One training run: its envs, its plans, its optimiser."""

    def __init__(self, venv: VecEnv, learner: Learner, settings: DaggerSettings, plans: _Plans, result: DaggerResult):
        self.venv, self.learner, self.settings, self.plans, self.result = venv, learner, settings, plans, result
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.optimizer = torch.optim.Adam(learner.module.parameters(), lr=settings.learning_rate)
        n_steps = settings.iterations * settings.gradient_steps
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, n_steps)
        assert isinstance(venv.action_space, spaces.Box)
        self.space = venv.action_space

    def begin(self) -> None:
        """Begin the first episodes."""
        self.venv.seed(self.settings.seed)
        self.observations = self.venv.reset()
        self._ask()

    def collect(self, rounds: int, iteration: int) -> dict[str, float]:
        """Drive, and collect the teacher's plans in the visited states; return the first part of a row of the history."""
        self.learner.module.eval()
        share = self.settings.teacher_share if iteration == 0 else 0.0
        share = 1.0 if self.settings.drive == "teacher" else share
        errors, successes = [], []
        for _ in range(rounds):
            columns, taught = self.learner.columns(self.observations), self._ask()  # type: ignore[arg-type]
            self.plans.add(columns, torch.from_numpy(taught))
            with torch.no_grad():
                planned = self.learner.plans(columns).numpy()
            errors.append(np.linalg.norm(planned - taught, axis=2).mean(axis=0))
            planned = np.clip(planned, self.space.low, self.space.high)
            by_teacher = torch.rand(len(taught), generator=self.generator).numpy() < share
            self.observations, _, dones, infos = self.venv.step(np.where(by_teacher[:, None, None], taught, planned))
            self.result.env_steps += len(taught)
            successes += [info["is_success"] for info, done in zip(infos, dones, strict=True) if done and "is_success" in info]
        displacement = np.mean(errors, axis=0)
        return {
            "env_steps": self.result.env_steps,
            "ade": float(displacement.mean()),
            "fde": float(displacement[-1]),
            "success_rate": float(np.mean(successes)) if successes else math.nan,
        }

    def fit(self) -> float:
        """Fit the learner to all plans; return the mean loss."""
        self.learner.module.train()
        total = torch.zeros(())
        for _ in range(self.settings.gradient_steps):
            index = torch.randint(len(self.plans), (self.settings.batch_size,), generator=self.generator)
            columns, taught = self.plans.rows(index)
            loss = waypoint_loss(self.learner.plans(columns) - taught)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            self.result.gradient_steps += 1
            total += loss.detach()
        mean = total.item() / self.settings.gradient_steps
        if not math.isfinite(mean):
            raise ValueError(f"the training loss is {mean}; try a learning_rate below {self.settings.learning_rate}")
        return mean

    @torch.no_grad()
    def measure(self) -> None:
        """Measure the errors in the states visited last, if the learner keeps them in ``residual_std``, as after cloning."""
        spread = getattr(self.learner.module, "residual_std", None)
        if isinstance(spread, torch.Tensor) and len(self.plans):
            last = torch.arange(len(self.plans))[-MEASURED_ON:]
            parts = (self.plans.rows(part) for part in last.split(PREDICTED_AT_ONCE))
            errors = torch.cat([self.learner.plans(columns) - taught for columns, taught in parts])
            spread.copy_(errors.std(dim=0, correction=0))

    def _ask(self) -> np.ndarray:
        """The teacher's plans in the current states."""
        try:
            return np.stack(self.venv.env_method("expert_plan"))
        except AttributeError as error:
            raise ValueError(f"these envs have no expert_plan(), which DAgger asks in every state: {error}") from error
