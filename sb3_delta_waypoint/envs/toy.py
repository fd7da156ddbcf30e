"""``ToyWaypoint-v0``: one simulated car, alone on its route."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sb3_delta_waypoint.contract import EGO_GROUPS
from sb3_delta_waypoint.driving.simulation import Simulation
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.envs.hard_scenarios import read_hard_scenarios
from sb3_delta_waypoint.envs.simulated import SimulatedEnv
from sb3_delta_waypoint.envs.simulated_vector import SimulatedVectorEnv


class ToyWaypointEnv(SimulatedEnv):
    """
    An env of one simulated car on a route. An action is a plan of the next seconds, which is tracked for 0.1 s.

    ``reset(seed=s)`` plays scenario 0 of the base seed ``s``, and further resets play the next ones.
    ``reset(options={"scenario": g})`` plays scenario ``g``. Observation groups about traffic say that there is none, so that
    a planner for traffic can drive here, too.

    :param render_mode: ``"human"``, ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param hard_scenarios: a file of the numbers of hard scenarios, as ``evaluate --failed`` writes it
    :param hard_share: probability that a scenario is one of them
    :param kwargs: see :func:`~.configuration.driving_config`
    """

    def __init__(
        self,
        render_mode: str | None = None,
        observe: Sequence[str] = EGO_GROUPS,
        hard_scenarios: str | Path | None = None,
        hard_share: float = 0.5,
        **kwargs: Any,
    ):
        def make() -> Simulation:
            hard = read_hard_scenarios(hard_scenarios, hard_share)
            return Simulation(1, driving_config(**kwargs), autoreset=False, hard=hard)

        super().__init__(make, observe, render_mode)


class ToyWaypointVectorEnv(SimulatedVectorEnv):
    """
    Vector env of many :class:`ToyWaypointEnv` in one loop, with autoreset within the step (SAME_STEP).

    :param num_envs: number of envs ``n``
    :param group_size: number of consecutive episodes that share a scenario
    :param render_mode: ``"rgb_array"`` or None
    :param observe: names of the observation groups, of :data:`~.contract.GROUPS`
    :param hard_scenarios: a file of the numbers of hard scenarios, as ``evaluate --failed`` writes it
    :param hard_share: probability that a scenario is one of them
    :param kwargs: see :func:`~.configuration.driving_config`
    """

    def __init__(
        self,
        num_envs: int = 1,
        group_size: int = 1,
        render_mode: str | None = None,
        observe: Sequence[str] = EGO_GROUPS,
        hard_scenarios: str | Path | None = None,
        hard_share: float = 0.5,
        **kwargs: Any,
    ):
        def make(n_cars: int) -> Simulation:
            hard = read_hard_scenarios(hard_scenarios, hard_share)
            return Simulation(n_cars, driving_config(**kwargs), group_size, hard=hard)

        super().__init__(num_envs, make, observe, render_mode)
