"""The driving configuration: roads, vehicle, expert, reward and rules."""

from dataclasses import dataclass, field
from typing import Annotated

from sb3_delta_waypoint.bounds import Bounds, check_parameters
from sb3_delta_waypoint.contract import POSITION_BOUND
from sb3_delta_waypoint.driving.agents.behaviour import TrafficOptions
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.lanes import Lanes
from sb3_delta_waypoint.driving.network import MapShares, RoadNetwork
from sb3_delta_waypoint.driving.reward import RewardWeights, check_combine
from sb3_delta_waypoint.driving.score import EpisodeRules
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.vehicle import VehicleParameters


@dataclass(frozen=True)
class DrivingConfig:
    """
    Parameters of the roads, the vehicle, the expert, the reward and the rules of an episode.

    :param network: road network from which routes are drawn; None for routes of random curvature
    :param shares: the maps of which the network consists and how often each is drawn; None for a single map
    :param lanes: the lanes of the network, for cars among others; None for cars alone
    :param traffic: the others on the road
    :param waiting_time: what the time limit of an episode among others grants for waiting [s]
    :param recorded: whether the network's segments are recorded drives, each driven from its start to its end
    :param route_length: length of the routes, in whole metres; recorded drives keep their own length
    :param horizon_steps: rows ``H`` of a plan
    :param plan_dt: seconds between the rows of a plan
    :param reward: weights of the reward's terms
    :param rules: when an episode ends
    :param vehicle: parameters of the car
    :param expert: parameters of the expert
    :param start: ranges of the initial state relative to the route
    :raises ValueError: naming the number that is out of its bounds
    """

    network: RoadNetwork | None = None
    shares: MapShares | None = None
    lanes: Lanes | None = None
    traffic: TrafficOptions = TrafficOptions()
    waiting_time: Annotated[float, Bounds(0.0, 600.0, "s")] = 20.0
    recorded: bool = False
    route_length: Annotated[float, Bounds(10.0, 10_000.0, "m")] = 100.0
    horizon_steps: Annotated[int, Bounds(2, 1000, whole=True)] = 20
    # the tracker uses positions within the next second
    plan_dt: Annotated[float, Bounds(0.01, 1.0, "s")] = 0.1
    reward: RewardWeights = field(default_factory=RewardWeights)
    rules: EpisodeRules = EpisodeRules()
    vehicle: VehicleParameters = VehicleParameters()
    expert: ExpertParameters = ExpertParameters()
    start: StartParameters = StartParameters()

    def __post_init__(self) -> None:
        check_parameters("", self)
        check_parameters("", self.rules)
        for name in ("reward", "vehicle", "expert", "start"):
            check_parameters(name, getattr(self, name))
        check_combine(self.reward)
        if self.lanes is not None and self.vehicle.width >= self.lanes.width.min():
            raise ValueError(
                f"vehicle: width={self.vehicle.width:g} m does not fit into the narrowest lane of these roads, "
                f"{self.lanes.width.min():g} m wide; make the car narrower"
            )
        if self.rules.waypoint_spacing > self.route_length:
            raise ValueError(
                f"waypoint_spacing={self.rules.waypoint_spacing} m must be at most route_length={self.route_length} m"
            )
        farthest = self.expert.cruise_speed * self.horizon_steps * self.plan_dt
        if farthest > POSITION_BOUND + 1e-6:
            raise ValueError(
                f"horizon_steps={self.horizon_steps}, plan_dt={self.plan_dt} s and the expert's cruise_speed="
                f"{self.expert.cruise_speed} m/s: a plan would reach {farthest:g} m, and the action space ends at "
                f"{POSITION_BOUND:g} m; lower one of them"
            )
