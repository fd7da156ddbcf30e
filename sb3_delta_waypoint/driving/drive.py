"""Base class of simulated and measured drives."""

from abc import ABC, abstractmethod

import numpy as np

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.score import metric_names
from sb3_delta_waypoint.driving.world import World, packed


class Drive(ABC):
    """
    Cars on their routes: their state, the totals of their episodes, and the plans of the expert.

    :param config: the driving configuration
    :param n_cars: number of cars
    :param max_points: largest number of route points, 1 m apart
    :param n_agents: number of others on the road of each car; -1 for cars without lanes
    """

    first_call: str
    """The call that begins the first episode, for error messages."""

    def __init__(self, config: DrivingConfig, n_cars: int, max_points: int, n_agents: int = -1):
        self.config = config
        self.world = World.empty(n_cars, max_points, config.horizon_steps, n_agents)
        self._parameters = packed(config)
        self.metric_names = metric_names(config.horizon_steps)
        """Names of an episode's metrics."""
        self._begun = False

    @property
    def cars(self) -> np.ndarray:
        """State of each car: records of :data:`~.records.CAR`, ``(n,)``."""
        return self.world.cars

    @property
    def routes(self) -> np.ndarray:
        """Route of each car: records of :data:`~.records.ROUTE_POINT`, ``(n, P)``."""
        return self.world.routes

    @property
    def totals(self) -> np.ndarray:
        """Totals of each car's episode: records of :data:`~.records.TOTALS`, ``(n,)``."""
        return self.world.totals

    @abstractmethod
    def expert_plans(self) -> np.ndarray:
        """
        The expert's plan for every car from its current state.

        :return: float32 ``(n, H, 2)``, metres, ego frame
        :raises RuntimeError: before the first episode
        """

    def _check_begun(self) -> None:
        # without a route the kernels would read outside the arrays
        if not self._begun:
            raise RuntimeError(f"the cars have no routes yet: call {self.first_call} first")
