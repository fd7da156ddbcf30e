"""``TrafficWaypoint-v0``: one simulated car among others, on the lanes of maps or of synthetic towns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sb3_delta_waypoint.contract import EGO_GROUPS, TRAFFIC_GROUPS
from sb3_delta_waypoint.driving.agents.behaviour import BEHAVIOURS
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.driving.traffic_simulation import TrafficSimulation
from sb3_delta_waypoint.envs.configuration import traffic_config
from sb3_delta_waypoint.envs.hard_scenarios import read_hard_scenarios
from sb3_delta_waypoint.envs.simulated import SimulatedEnv
from sb3_delta_waypoint.envs.simulated_vector import SimulatedVectorEnv


class TrafficWaypointEnv(SimulatedEnv):
    """
    An env of one simulated car among vehicles, cyclists, pedestrians, parked cars and traffic lights.

    Scenarios and plans are as in :class:`~.toy.ToyWaypointEnv`. Everybody on the road is a function of the scenario, and
    reacts to the car. A collision that is the car's fault ends the episode; another contact does not.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param hard_scenarios: a file of the numbers of hard scenarios, as ``evaluate --failed`` writes it
    :param hard_share: probability that a scenario is one of them
    :param kwargs: see :func:`~.configuration.traffic_config`
    """

    behaviours = tuple(BEHAVIOURS)
    """Names of the behaviours that others may have."""

    def __init__(
        self,
        render_mode: str | None = None,
        observe: Sequence[str] = (*EGO_GROUPS, *TRAFFIC_GROUPS),
        hard_scenarios: str | Path | None = None,
        hard_share: float = 0.5,
        **kwargs: Any,
    ):
        def make() -> Simulation:
            hard = read_hard_scenarios(hard_scenarios, hard_share)
            return TrafficSimulation(1, traffic_config(**kwargs), autoreset=False, hard=hard)

        super().__init__(make, observe, render_mode)


class TrafficWaypointVectorEnv(SimulatedVectorEnv):
    """
    Vector env of many :class:`TrafficWaypointEnv` in one loop, with autoreset within the step (SAME_STEP).

    :param num_envs: number of envs ``n``
    :param group_size: number of consecutive episodes that share a scenario
    :param render_mode: ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param hard_scenarios: a file of the numbers of hard scenarios, as ``evaluate --failed`` writes it
    :param hard_share: probability that a scenario is one of them
    :param kwargs: see :func:`~.configuration.traffic_config`
    """

    behaviours = TrafficWaypointEnv.behaviours

    def __init__(
        self,
        num_envs: int = 1,
        group_size: int = 1,
        render_mode: str | None = None,
        observe: Sequence[str] = (*EGO_GROUPS, *TRAFFIC_GROUPS),
        hard_scenarios: str | Path | None = None,
        hard_share: float = 0.5,
        **kwargs: Any,
    ):
        def make(n_cars: int) -> Simulation:
            hard = read_hard_scenarios(hard_scenarios, hard_share)
            return TrafficSimulation(n_cars, traffic_config(**kwargs), group_size, hard=hard)

        super().__init__(num_envs, make, observe, render_mode)
