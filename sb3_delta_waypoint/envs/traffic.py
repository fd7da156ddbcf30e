"""``TrafficWaypoint-v0``: an env of one simulated car among others, on the lanes of maps or of synthetic towns."""

from collections.abc import Sequence
from typing import Any

from sb3_delta_waypoint.contract import EGO_GROUPS, TRAFFIC_GROUPS
from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.traffic_simulation import TrafficSimulation
from sb3_delta_waypoint.envs.configuration import traffic_config
from sb3_delta_waypoint.envs.toy import ToyWaypointEnv
from sb3_delta_waypoint.envs.toy_vector import ToyWaypointVectorEnv


class TrafficWaypointEnv(ToyWaypointEnv):
    """
    An env of one simulated car among vehicles, cyclists, pedestrians, parked cars and traffic lights.

    Scenarios and plans are as in :class:`~.toy.ToyWaypointEnv`. Everybody on the road is a function of the scenario, and reacts
    to the car. An at-fault collision ends the episode; a contact that is not the car's fault does not.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param kwargs: see :func:`~.configuration.traffic_config`
    """

    behaviours = tuple(BEHAVIOURS)
    """Names of the behaviours that others may have."""

    def __init__(self, render_mode: str | None = None, observe: Sequence[str] = (*EGO_GROUPS, *TRAFFIC_GROUPS), **kwargs: Any):
        super().__init__(render_mode, observe, **kwargs)

    @staticmethod
    def _simulation(n_cars: int, group_size: int = 1, autoreset: bool = True, **kwargs: Any) -> Simulation:
        return TrafficSimulation(n_cars, traffic_config(**kwargs), group_size, autoreset)


class TrafficWaypointVectorEnv(ToyWaypointVectorEnv):
    """
    Vector env of many :class:`TrafficWaypointEnv` in one loop, with autoreset within the step (SAME_STEP).

    :param num_envs: number of envs ``n``
    :param group_size: number of consecutive episodes that share a scenario
    :param render_mode: ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param kwargs: see :func:`~.configuration.traffic_config`
    """

    scalar_env = TrafficWaypointEnv
    behaviours = TrafficWaypointEnv.behaviours

    def __init__(
        self,
        num_envs: int = 1,
        group_size: int = 1,
        render_mode: str | None = None,
        observe: Sequence[str] = (*EGO_GROUPS, *TRAFFIC_GROUPS),
        **kwargs: Any,
    ):
        super().__init__(num_envs, group_size, render_mode, observe, **kwargs)
