"""The planner that a refined model is compared with."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sb3_delta_waypoint.evaluation.rollout import BatchPolicy
    from sb3_delta_waypoint.policies.inference import WaypointPolicy


def planner_beside(model: "WaypointPolicy", checkpoint: Path, sft: Path | None) -> "BatchPolicy":
    """
    Return the planner inside a refined model, or another one from a file.

    :param model: the refined model
    :param checkpoint: file of the model
    :param sft: file of another planner; None for the planner inside the model
    :return: the planner; that of a file is a ``WaypointPolicy``
    :raises ValueError: if the model has no planner, or if the other planner's plans have another length or time step
    """
    from sb3_delta_waypoint.evaluation.side_by_side import planner_inside
    from sb3_delta_waypoint.policies.inference import WaypointPolicy

    planner = planner_inside(model)
    if sft is None:
        return planner
    other = WaypointPolicy(sft)
    if (other.horizon_steps, other.plan_dt) != (model.horizon_steps, model.plan_dt):
        raise ValueError(
            f"{sft} plans {other.horizon_steps} steps of {other.plan_dt:g} s, {checkpoint} plans {model.horizon_steps} of "
            f"{model.plan_dt:g} s: only plans of one length drive the same env"
        )
    return other
