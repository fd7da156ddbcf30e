"""Open-loop errors: distances of plans from an expert's on recorded frames, where the policy's plans are not driven."""

from collections.abc import Sequence

import numpy as np

from sb3_delta_waypoint.driving.metrics import displacement
from sb3_delta_waypoint.episodes.reader import Episode
from sb3_delta_waypoint.evaluation.rollout import BatchPolicy


def evaluate_open_loop(policy: BatchPolicy, episodes: Sequence[Episode]) -> dict[str, np.ndarray]:
    """
    Return the errors of a policy on recorded episodes, one value per episode: the mean over its frames. Frames of one drive
    are correlated, so intervals are computed over episodes, not frames.

    :param policy: a function from a batch of observations to plans, (n, H, 2) metres, ego frame
    :param episodes: recorded episodes
    :return: ``open_loop_ade``, ``open_loop_fde`` and ``open_loop_displacement_<step>``, (n_episodes,) metres each
    :raises ValueError: if there are no episodes, or their plans have another horizon or ``plan_dt`` than the policy's
    """
    if not episodes:
        raise ValueError("open-loop evaluation needs at least one episode, got none")
    rows = []
    for episode in episodes:
        plans = np.asarray(policy(episode.observations))
        if plans.shape != episode.waypoints.shape:
            raise ValueError(
                f"{episode.path}: the policy plans {plans.shape[1]} steps, the episode holds {episode.waypoints.shape[1]}: "
                "evaluate on episodes recorded with the policy's horizon_steps"
            )
        plan_dt = getattr(policy, "plan_dt", episode.dt)
        if not np.isclose(plan_dt, episode.dt):
            raise ValueError(
                f"{episode.path}: the policy's waypoints are {plan_dt:g} s apart, the episode's {episode.dt:g} s: evaluate on "
                "episodes recorded with the policy's plan_dt"
            )
        rows.append(displacement(plans, episode.waypoints).mean(axis=0))
    return open_loop_metrics(np.array(rows))


def open_loop_metrics(displacements: np.ndarray) -> dict[str, np.ndarray]:
    """
    Return errors of episodes as metrics.

    :param displacements: mean displacement by horizon step, (n_episodes, H) metres
    :return: ``open_loop_ade``, ``open_loop_fde`` and ``open_loop_displacement_<step>``, (n_episodes,) metres each
    """
    return {
        "open_loop_ade": displacements.mean(axis=1),
        "open_loop_fde": displacements[:, -1],
        **{f"open_loop_displacement_{step}": column for step, column in enumerate(displacements.T, start=1)},
    }


def open_loop_name(name: str) -> str:
    """
    Return the open-loop counterpart of a metric, so that ``ade`` can be given where only open-loop errors are measured.

    :param name: name of a metric, such as ``ade``
    :return: name of its counterpart, such as ``open_loop_ade``; the same name if there is none
    """
    return f"open_loop_{name}" if name in ("ade", "fde") or name.startswith("displacement_") else name
