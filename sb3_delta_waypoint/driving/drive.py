"""What a simulated and a measured drive have in common."""

from abc import ABC, abstractmethod

import numpy as np

from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.score import metric_names
from sb3_delta_waypoint.driving.world import World, packed


class Drive(ABC):
    """
    Cars on their routes: where they are, what they have earned, and what the expert would plan.

    :param config: what the cars drive on and how they are judged
    :param n_cars: how many there are
    :param max_points: longest route, in points 1 m apart
    """

    first_call: str
    """What begins an episode."""

    def __init__(self, config: DrivingConfig, n_cars: int, max_points: int):
        self.config = config
        self.world = World.empty(n_cars, max_points, config.horizon_steps)
        self._parameters = packed(config)
        self.metric_names = metric_names(config.horizon_steps)
        """Names of an episode's metrics."""
        self._begun = False

    @property
    def cars(self) -> np.ndarray:
        """Records of :data:`~.records.CAR`, ``(n,)``."""
        return self.world.cars

    @property
    def routes(self) -> np.ndarray:
        """Records of :data:`~.records.ROUTE_POINT`, ``(n, P)``."""
        return self.world.routes

    @property
    def totals(self) -> np.ndarray:
        """Records of :data:`~.records.TOTALS`, ``(n,)``."""
        return self.world.totals

    @abstractmethod
    def expert_plans(self) -> np.ndarray:
        """
        What the expert would plan for every car from where it is.

        :return: float32 ``(n, H, 2)``, metres, ego frame
        :raises RuntimeError: before the first episode
        """

    def _check_begun(self) -> None:
        # a car without a route would send the kernels out of its memory
        if not self._begun:
            raise RuntimeError(f"the cars have no routes yet: call {self.first_call} first")
