"""The keyword arguments of ``gym.make``, turned into the driving configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Any, TypeVar, cast

from sb3_delta_waypoint.driving.agents.behaviour import TrafficOptions, traffic_options
from sb3_delta_waypoint.driving.config import DrivingConfig
from sb3_delta_waypoint.driving.expert import ExpertParameters
from sb3_delta_waypoint.driving.network import MapShares, RoadNetwork, from_paths, validate_network
from sb3_delta_waypoint.driving.reward import TRAFFIC_REWARD, RewardWeights
from sb3_delta_waypoint.driving.score import EpisodeRules
from sb3_delta_waypoint.driving.start import StartParameters
from sb3_delta_waypoint.driving.vehicle import VehicleParameters
from sb3_delta_waypoint.maps.sources import SYNTHETIC, Routes, roads_of
from sb3_delta_waypoint.messages import short_repr

Parameters = TypeVar("Parameters", RewardWeights, VehicleParameters, ExpertParameters, StartParameters)


def driving_config(
    routes: Routes | RoadNetwork | None = None,
    route_length: float = 100.0,
    waypoint_spacing: float = 5.0,
    horizon_steps: int = 20,
    plan_dt: float = 0.1,
    off_route_distance: float = 2.0,
    reward: Mapping[str, float] | RewardWeights | None = None,
    vehicle: Mapping[str, float] | VehicleParameters | None = None,
    expert: Mapping[str, float] | ExpertParameters | None = None,
    start: Mapping[str, float] | StartParameters | None = None,
) -> DrivingConfig:
    """
    Make the driving configuration from the keyword arguments that the envs of this package share.

    :param routes: None for routes of random smooth curvature; an OpenDRIVE map (``Town01.xodr``) from which routes are drawn;
        a glob of recorded episodes (``out/episodes/**/*.json``) whose paths and speeds are replayed; a road network; or what
        :func:`~sb3_delta_waypoint.maps.sources.roads_of` accepts, such as ``synthetic:0-9``, or several maps with weights
    :param route_length: arc length of a route [m], in whole metres (recorded episodes keep their own)
    :param waypoint_spacing: arc length between the waypoints that ``waypoint_hit_rate`` counts [m]
    :param horizon_steps: rows ``H`` of a plan, at least 2
    :param plan_dt: seconds between the rows of a plan, at most 1; at the expert's cruise speed, all rows together reach no
        farther than the action space, 100 m
    :param off_route_distance: distance beside the route, or behind its start, beyond which the episode ends [m]
    :param reward: weights of the reward's terms, by name, that differ from :class:`~.reward.RewardWeights`
    :param vehicle: parameters that differ from :class:`~.vehicle.VehicleParameters`
    :param expert: parameters that differ from :class:`~.expert.ExpertParameters`
    :param start: parameters that differ from :class:`~.start.StartParameters`
    :return: the driving configuration
    :raises FileNotFoundError: if there is no such map, or no episode matches
    :raises ValueError: for a map without a drivable route, an unknown parameter, or a value that is not accepted, naming it
    """
    # bad values are refused before a map is read
    plain = DrivingConfig(
        route_length=route_length,
        horizon_steps=horizon_steps,
        plan_dt=plan_dt,
        reward=reward_weights(reward),
        rules=EpisodeRules(off_route_distance=off_route_distance, waypoint_spacing=waypoint_spacing),
        vehicle=_parameters("vehicle", VehicleParameters, vehicle),
        expert=_parameters("expert", ExpertParameters, expert),
        start=_parameters("start", StartParameters, start),
    )
    network: RoadNetwork | None = None
    shares: MapShares | None = None
    recorded = False
    if isinstance(routes, RoadNetwork):
        validate_network(routes)
        network = routes
    elif isinstance(routes, Sequence | Mapping) and (not isinstance(routes, str) or routes.startswith(SYNTHETIC)):
        roads = roads_of(cast(Routes, routes))
        network, shares = roads.lanes.network, roads.shares
    elif not isinstance(routes, str | Path | None):
        raise ValueError(
            f"routes={short_repr(routes)}: expected a file, a glob of recorded episodes, {SYNTHETIC}SEED, several of them, a "
            "road network or None"
        )
    elif routes is not None and str(routes).endswith(".json"):
        network, recorded = _recorded_drives(tuple(sorted(glob(str(routes), recursive=True))), str(routes)), True
    elif routes is not None:
        network = _road_map(str(Path(routes).resolve()), _modified(Path(routes)))
    return replace(
        plain, network=network, shares=shares, recorded=recorded, route_length=float(route_length), plan_dt=float(plan_dt)
    )


def traffic_config(
    routes: Routes = "synthetic:0-7",
    route_length: float = 120.0,
    traffic: Mapping[str, object] | TrafficOptions | None = None,
    waiting_time: float = 20.0,
    off_route_distance: float = 4.0,
    reward: Mapping[str, float] | RewardWeights | None = None,
    **kwargs: Any,
) -> DrivingConfig:
    """
    Make the driving configuration of a car among others.

    :param routes: the roads, see :func:`~sb3_delta_waypoint.maps.sources.roads_of`
    :param route_length: arc length of a route [m], in whole metres
    :param traffic: the others on the road, see :func:`~sb3_delta_waypoint.driving.agents.behaviour.traffic_options`
    :param waiting_time: what the time limit grants for waiting, in addition to a red phase of each light on the route [s]
    :param off_route_distance: distance beside the route, or behind its start, beyond which the episode ends [m]
    :param reward: weights of the reward's terms, by name, that differ from :data:`~.reward.TRAFFIC_REWARD`
    :param kwargs: see :func:`driving_config`
    :return: the driving configuration
    :raises FileNotFoundError: if there is no such map
    :raises ValueError: for roads, numbers or behaviours that are not accepted, or a car that is wider than a lane
    """
    options = traffic_options(traffic)
    plain = driving_config(
        route_length=route_length,
        off_route_distance=off_route_distance,
        reward=reward_weights(reward, TRAFFIC_REWARD),
        **kwargs,
    )
    roads = roads_of(routes)
    return replace(
        plain,
        network=roads.lanes.network,
        shares=roads.shares,
        lanes=roads.lanes,
        traffic=options,
        waiting_time=waiting_time,
        route_length=float(route_length),
    )


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


@lru_cache(maxsize=8)
def _road_map(path: str, modified: float) -> RoadNetwork:
    """Read a map, once per process: training and evaluation envs share it, and so do 64 scalar envs."""
    from sb3_delta_waypoint.maps.opendrive import load_opendrive

    return load_opendrive(path)


@lru_cache(maxsize=8)
def _recorded_drives(paths: tuple[str, ...], pattern: str) -> RoadNetwork:
    from sb3_delta_waypoint.episodes.paths import driven_paths
    from sb3_delta_waypoint.episodes.reader import read_episodes

    episodes, _ = read_episodes(pattern)
    try:
        return from_paths(driven_paths(episodes))
    except ValueError as error:
        raise ValueError(f"the paths driven in {pattern}, such as {episodes[0].path}: {error}") from None


def reward_weights(given: Mapping[str, float] | RewardWeights | None, default: RewardWeights | None = None) -> RewardWeights:
    """
    Make the weights of the reward's terms.

    :param given: weights by name that differ from the default, or all of them
    :param default: the default; None for :class:`~.reward.RewardWeights`
    :return: the weights
    :raises ValueError: for an unknown name
    """
    return _parameters("reward", RewardWeights, given, default)


def _parameters(
    name: str, kind: type[Parameters], given: Mapping[str, float] | Parameters | None, default: Parameters | None = None
) -> Parameters:
    default = kind() if default is None else default
    if given is None:
        return default
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(f"{name}={short_repr(given)}: expected a mapping of names to numbers, or {kind.__name__}")
    known = kind.__annotations__
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(f"{name}={short_repr(given)}: {unknown[0]!r} is unknown; accepted are {', '.join(known)}")
    return default._replace(**given)
