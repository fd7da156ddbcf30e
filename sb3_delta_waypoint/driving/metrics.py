"""Metrics of plans and episodes: displacement errors, and the name, unit and direction of each metric."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


def displacement(predicted: np.ndarray, expert: np.ndarray) -> np.ndarray:
    """
    Distance between two plans, waypoint by waypoint (the L2 error of motion forecasting, as in Argoverse and nuScenes).

    :param predicted: plans, (..., H, 2) metres
    :param expert: the expert's plans in the same frame, of the same shape
    :return: distances, (..., H) metres
    :raises ValueError: if the shapes differ or are not (..., H, 2)
    """
    predicted, expert = np.asarray(predicted, dtype=np.float64), np.asarray(expert, dtype=np.float64)
    if predicted.shape != expert.shape or predicted.ndim < 2 or predicted.shape[-1] != 2 or predicted.shape[-2] == 0:
        raise ValueError(f"plans must both have the shape (..., H, 2), got {predicted.shape} and {expert.shape}")
    difference = predicted - expert
    return np.hypot(difference[..., 0], difference[..., 1])


def ade(predicted: np.ndarray, expert: np.ndarray) -> np.ndarray:
    """
    Average displacement error: the mean distance over the horizon.

    :param predicted: plans, (..., H, 2) metres
    :param expert: the expert's plans, of the same shape
    :return: (...) metres
    :raises ValueError: if the shapes differ or are not (..., H, 2)
    """
    return displacement(predicted, expert).mean(axis=-1)


def fde(predicted: np.ndarray, expert: np.ndarray) -> np.ndarray:
    """
    Final displacement error: the distance at the last waypoint.

    :param predicted: plans, (..., H, 2) metres
    :param expert: the expert's plans, of the same shape
    :return: (...) metres
    :raises ValueError: if the shapes differ or are not (..., H, 2)
    """
    return displacement(predicted, expert)[..., -1]


@dataclass(frozen=True)
class Metric:
    """
    Description of a metric.

    :param name: key in files and logs
    :param label: text in tables and plots
    :param unit: SI unit, empty for shares, rates and counts
    :param higher_is_better: None where neither direction is better in itself
    :param of_every_episode: whether every env measures it in every episode: then it is a field of
        :data:`~.records.EPISODE`, which :func:`~.score.score_episode` fills
    """

    name: str
    label: str
    unit: str = ""
    higher_is_better: bool | None = None
    of_every_episode: bool = False

    @property
    def arrow(self) -> str:
        """``↑`` where higher is better, ``↓`` where lower is better, else empty."""
        return {True: "↑", False: "↓", None: ""}[self.higher_is_better]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("success_rate", "success rate", "", True, of_every_episode=True),
        Metric("closed_loop_score", "closed-loop score", "points", True, of_every_episode=True),
        Metric("collision_at_fault", "at-fault collision", "", False, of_every_episode=True),
        Metric("ade", "ADE", "m", False, of_every_episode=True),
        Metric("fde", "FDE", "m", False, of_every_episode=True),
        Metric("open_loop_ade", "open-loop ADE", "m", False),
        Metric("open_loop_fde", "open-loop FDE", "m", False),
        Metric("route_completion", "route completion", "", True, of_every_episode=True),
        Metric("waypoint_hit_rate", "waypoint hit rate", "", True, of_every_episode=True),
        Metric("time_ratio", "time ratio", "", False),
        Metric("time_with_failures", "time with failures", "s", False),
        Metric("lateral_deviation_mean", "lateral deviation", "m", False, of_every_episode=True),
        Metric("episode_reward", "reward", "", True, of_every_episode=True),
        Metric("lateral_deviation_max", "max lateral deviation", "m", False, of_every_episode=True),
        Metric("driving_score_2_0", "driving score 2.0", "", True),
        Metric("driving_score_2_1", "driving score 2.1", "", True),
        Metric("waypoints_reached", "waypoints reached", "", True),
        Metric("off_route", "off route", "", False, of_every_episode=True),
        Metric("collision", "collision", "", False, of_every_episode=True),
        Metric("collision_pedestrian", "collision with pedestrian", "", False, of_every_episode=True),
        Metric("collision_vehicle", "collision with vehicle", "", False, of_every_episode=True),
        Metric("collision_static", "collision with object", "", False, of_every_episode=True),
        Metric("collision_vulnerable", "collision with vulnerable road user", "", False, of_every_episode=True),
        Metric("off_road", "off road", "", False),
        Metric("off_road_share", "share off road", "", False),
        Metric("lane_invasion", "lane invasions", "", False),
        Metric("red_light", "red lights run", "", False, of_every_episode=True),
        Metric("stop_sign", "stop signs run", "", False),
        Metric("blocked", "blocked", "", False),
        Metric("timeout", "out of time", "", False, of_every_episode=True),
        Metric("score_no_at_fault_collision", "score: no at-fault collision", "", True, of_every_episode=True),
        Metric("score_drivable_area", "score: drivable area", "", True, of_every_episode=True),
        Metric("score_making_progress", "score: making progress", "", True, of_every_episode=True),
        Metric("score_driving_direction", "score: driving direction", "", True, of_every_episode=True),
        Metric("score_red_light", "score: red light", "", True, of_every_episode=True),
        Metric("score_progress", "score: progress", "", True, of_every_episode=True),
        Metric("score_time_to_collision", "score: time to collision", "", True, of_every_episode=True),
        Metric("score_speed_limit", "score: speed limit", "", True, of_every_episode=True),
        Metric("score_comfort", "score: comfort", "", True, of_every_episode=True),
        Metric("closed_loop_score_without_lights", "closed-loop score without lights", "points", True, of_every_episode=True),
        Metric(
            "closed_loop_score_without_comfort", "closed-loop score without comfort", "points", True, of_every_episode=True
        ),
        Metric("time_to_collision_min", "min time to collision", "s", True, of_every_episode=True),
        Metric("gap_min", "min gap", "m", True, of_every_episode=True),
        Metric("harsh_braking_share", "share braking harshly", "", False, of_every_episode=True),
        Metric("stop_lines", "stop lines passed", "", of_every_episode=True),
        Metric("off_lane_time", "time off lane", "s", False, of_every_episode=True),
        Metric("off_area_time", "time off drivable area", "s", False, of_every_episode=True),
        Metric("jerk_mean", "mean jerk", "m/s³", False, of_every_episode=True),
        Metric("lateral_acceleration_max", "max lateral acc.", "m/s²", False, of_every_episode=True),
        Metric("speed_mean", "mean speed", "m/s", of_every_episode=True),
        Metric("episode_length", "episode length", "steps", of_every_episode=True),
    )
}
"""The metrics known by name, the most important first; :func:`metric_info` also knows families of metrics."""

EPISODE_METRICS = tuple(
    # for one episode, a rate is yes or no
    "success" if metric.name == "success_rate" else metric.name
    for metric in METRICS.values()
    if metric.of_every_episode
)
"""The metrics that every env reports at the end of an episode, beside the reward's terms and the displacements."""

HEADLINE = (
    "success_rate",
    "closed_loop_score",
    "collision_at_fault",
    "red_light",
    "ade",
    "fde",
    "open_loop_ade",
    "open_loop_fde",
    "route_completion",
    "waypoint_hit_rate",
    "time_ratio",
    "time_with_failures",
    "lateral_deviation_mean",
    "episode_reward",
)
"""The metrics that a comparison shows; its files hold the others as well."""

_DISPLACEMENT = re.compile(r"(open_loop_)?displacement_(\d+)")


def metric_info(name: str) -> Metric:
    """
    Look up the description of a metric.

    The families ``displacement_<step>``, ``open_loop_displacement_<step>`` and ``reward_<term>`` (signed contributions to the
    reward, so that higher is better) are known, too. A metric of unknown name has no unit and no direction.

    :param name: the metric's key
    :return: its label, unit and direction
    """
    if name in METRICS:
        return METRICS[name]
    if match := _DISPLACEMENT.fullmatch(name):
        prefix = "open-loop " if match[1] else ""
        return Metric(name, f"{prefix}displacement at step {match[2]}", "m", False)
    if name.startswith("reward_"):
        return Metric(name, f"reward: {name.removeprefix('reward_').replace('_', ' ')}", "", True)
    return Metric(name, name.replace("_", " "))


def displacement_names(names: Iterable[str]) -> list[str]:
    """
    Select the displacement metrics, sorted by horizon step.

    :param names: metric names
    :return: those called ``displacement_<step>`` or ``open_loop_displacement_<step>``, in the order of the steps
    """
    matches = [match for name in names if (match := _DISPLACEMENT.fullmatch(name))]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[2]))]


def in_reading_order(names: Iterable[str]) -> list[str]:
    """
    Sort metric names for a reader: known ones in the order of :data:`METRICS`, then others, then displacements by step.

    :param names: metric names
    :return: the same names, sorted
    """
    names = list(names)
    by_step = displacement_names(names)
    known = [name for name in METRICS if name in names]
    return known + [name for name in names if name not in METRICS and name not in by_step] + by_step


def as_rates(metrics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """
    Rename the metrics of many episodes as in summaries: the mean of ``success`` is a rate, ``success_rate``.

    :param metrics: one value per episode under each name
    :return: the same values, ``success`` renamed
    """
    return {"success_rate" if name == "success" else name: values for name, values in metrics.items()}
