"""Closed-loop evaluation in CARLA, or in the loopback server."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from tqdm import tqdm

from sb3_delta_waypoint.carla_bridge.connection import short_name
from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.errors import SpawnPointOccupiedError
from sb3_delta_waypoint.carla_bridge.events import ROUTE_MARGIN
from sb3_delta_waypoint.carla_bridge.map_routes import MapRoutes
from sb3_delta_waypoint.contract import CONTROL_DT, EGO_GROUPS, FAULT, GROUPS
from sb3_delta_waypoint.evaluation.carla.results import DrivenEpisode, ResultFolder, ScenarioResults
from sb3_delta_waypoint.evaluation.carla.suite import CarlaScenario, is_kind
from sb3_delta_waypoint.evaluation.leaderboard.driving_score import (
    LEADERBOARD_2_0,
    LEADERBOARD_2_1,
    OUTSIDE_LANES,
    Infraction,
    driving_score,
)
from sb3_delta_waypoint.evaluation.rollout import refuse_other_plans
from sb3_delta_waypoint.evaluation.trajectories import Policy
from sb3_delta_waypoint.maps.carla_frame import location_of
from sb3_delta_waypoint.maps.lane_graph import LaneGraph
from sb3_delta_waypoint.maps.route_file import load_routes
from sb3_delta_waypoint.messages import short_repr

ATTEMPTS = 3
"""Maximum attempts at an episode that the server aborts."""
DRAWS = 1000
"""Maximum number of routes per episode that are drawn to find one of the requested kind."""

INFRACTIONS = {
    "collision_pedestrian": "collisions_pedestrian",
    "collision_vehicle": "collisions_vehicle",
    "collision_static": "collisions_layout",
    "red_light": "red_light",
    "stop_sign": "stop_infraction",
    "off_route": "route_dev",
    "blocked": "vehicle_blocked",
    "timeout": "route_timeout",
}
"""The leaderboard's names of the infractions that the env counts."""
ENDINGS = ("off_route", "timeout", "blocked", "collision")
"""Outcomes of an episode that does not reach its goal."""


class EpisodeFault(Exception):
    """Raised if the server aborts an episode, which then counts for no policy."""


@dataclass(frozen=True)
class Drivers:
    """
    The policies of an evaluation, and what they require of the env.

    :param policies: policies by name, ``"sft"`` before ``"rl"``
    :param env_kwargs: ``horizon_steps`` and ``plan_dt`` of their plans
    :param reads: names of the observations that they read
    """

    policies: Mapping[str, Policy]
    env_kwargs: Mapping[str, Any]
    reads: Iterable[str] = EGO_GROUPS


def evaluate_closed_loop(
    drivers: Drivers,
    scenarios: Sequence[CarlaScenario],
    results: ResultFolder,
    server: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """
    Drive all policies through the same episodes, except those that have results already, and write each episode when it ends.

    :param drivers: the policies
    :param scenarios: the scenarios
    :param results: the folder of results
    :param server: ``host``, ``port`` and ``timeout`` of ``CarlaWaypoint-v0``
    :param progress: whether to show a progress bar if the output is a terminal
    :return: content of ``metrics.json``
    :raises CarlaError: if the server is unreachable or lost and does not come back; finished episodes are kept
    :raises ValueError: if a scenario cannot be driven on this server or by these policies
    """
    for scenario in scenarios:
        if scenario.episodes is not None:
            results.scenarios[scenario.name].want(scenario.episodes)
    try:
        for scenario in scenarios:
            found = results.scenarios[scenario.name]
            if found.wanted is None or found.left(results.policies):
                with _env(drivers, scenario, server or {}) as env:
                    _drive_scenario(env, drivers, scenario, results, found, progress)
                results.write()
    finally:
        content = results.write()
    return content


def _env(drivers: Drivers, scenario: CarlaScenario, server: Mapping[str, Any]) -> CarlaWaypointEnv:
    try:
        env = CarlaWaypointEnv(
            routes=scenario.routes, weather=scenario.weather, **drivers.env_kwargs, **scenario.env, **server
        )
    except TypeError as error:
        raise ValueError(f"scenario {scenario.name}: env: {error}") from error
    except (ValueError, FileNotFoundError) as error:
        town = scenario.env.get("town")
        of_town = town is not None and short_name(str(town)) in str(error)
        remedy = ": --town takes an OpenDRIVE file or, with --host, a map of that server" if of_town else ""
        error.add_note(f"scenario {scenario.name}{remedy}")
        raise
    try:
        for policy in drivers.policies.values():
            refuse_other_plans(policy, env.action_space)
    except ValueError:
        env.close()
        raise
    observed: Any = env.observation_space
    missing = [key for key in drivers.reads if key not in observed.spaces]
    if missing:
        env.close()
        remedy = (
            f"add it to observe={short_repr(scenario.env['observe'])}"
            if "observe" in scenario.env and missing[0] in GROUPS
            else "give the scenarios the traffic or the cameras that it was trained with, by --env-kwargs or under 'env' in a "
            "suite (--suite)"
        )
        raise ValueError(f"scenario {scenario.name}: the model reads {missing[0]!r}, which is not observed: {remedy}")
    return env


def _drive_scenario(
    env: CarlaWaypointEnv,
    drivers: Drivers,
    scenario: CarlaScenario,
    results: ResultFolder,
    found: ScenarioResults,
    progress: bool,
) -> None:
    session = env.session
    with session.lock, session.calls():
        server_version = session.client.get_server_version()
    town = short_name(session.map.name)
    results.begin(
        scenario.name,
        {"backend": env.backend, "server_version": server_version, "client_version": version("carla"), "town": town},
    )
    base_seed = found.settings["base_seed"]
    numbers = _scenario_numbers(env, scenario, base_seed)
    if scenario.episodes is None:
        found.want(len(numbers))
    left = found.left(results.policies)
    total = (found.wanted or 0) * len(results.policies)
    with tqdm(
        total=total,
        initial=total - len(left),
        desc=scenario.name,
        unit="episode",
        leave=False,
        disable=None if progress else True,
    ) as bar:
        for episode, policy in left:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    driven = drive_episode(env, drivers.policies[policy], base_seed, numbers[episode % len(numbers)])
                except EpisodeFault as fault:
                    if attempt == ATTEMPTS:
                        found.faults.append({"episode": episode, "policy": policy, "attempts": attempt, "fault": str(fault)})
                else:
                    found.add({"episode": episode, "policy": policy, "attempts": attempt, **driven})
                    break
            bar.update()


def _scenario_numbers(env: CarlaWaypointEnv, scenario: CarlaScenario, base_seed: int) -> list[int]:
    """Return the env's scenario number of each episode; the routes of a file are repeated in turn."""
    road_map = env.session.map
    if scenario.routes is not None:
        n = len(load_routes(scenario.routes, LaneGraph(road_map)))
        first = -base_seed % n
        return list(range(first, first + max(n, scenario.episodes or n)))
    wanted = scenario.episodes or 1
    if scenario.route == "any":
        return list(range(wanted))
    length = env.drive.config.route_length
    source = MapRoutes(road_map, None, length)
    numbers: list[int] = []
    for number in range(DRAWS * wanted):
        # the env truncates a drawn route there; its points are at most 1 m apart
        if is_kind(scenario.route, source.route(base_seed, number).points[: math.ceil(length) + 1]):
            numbers.append(number)
        if len(numbers) == wanted:
            return numbers
    raise ValueError(
        f"scenario {scenario.name}: of {DRAWS * wanted} routes of {length:g} m drawn in {short_name(road_map.name)}, "
        f"{len(numbers)} are of the kind {scenario.route!r}, {wanted} are wanted: choose another town or route_length"
    )


def drive_episode(env: CarlaWaypointEnv, policy: Policy, seed: int, number: int) -> DrivenEpisode:
    """
    Drive one episode.

    :param env: the env
    :param policy: the policy that drives
    :param seed: base seed of the scenario
    :param number: number of the scenario
    :return: ``seed``, ``scenario_number``, ``route``, ``outcome``, ``infractions`` by the leaderboard's names,
        ``infractions_per_km`` and ``metrics``: those of the env, and ``seconds``, ``distance`` [m], ``route_length`` [m],
        ``waypoints_reached``, ``off_road_share`` of the distance, ``driving_score_2_0`` and ``driving_score_2_1`` (0 to 100)
    :raises EpisodeFault: if the server aborts the episode
    :raises CarlaError: if the server is lost before the episode begins
    """
    try:
        observation, begun = env.reset(seed=seed, options={"scenario": number})
    except SpawnPointOccupiedError as error:
        raise EpisodeFault(str(error)) from error
    car, ended, outside, info = env.drive.cars[0], False, 0.0, dict[str, Any]()
    while not ended:
        before = float(car["progress"])
        observation, _, terminated, truncated, info = env.step(policy(observation))
        ended = terminated or truncated
        if _is_off_road(env):
            outside += max(float(car["progress"]) - before, 0.0)
    if FAULT in info:
        raise EpisodeFault(info[FAULT])
    metrics: dict[str, float] = dict(info["episode_metrics"])
    length, spacing = float(car["route_length"]), env.drive.config.rules.waypoint_spacing
    completion = metrics["route_completion"]
    metrics["seconds"] = metrics["episode_length"] * CONTROL_DT
    metrics["route_length"] = length
    metrics["distance"] = distance = completion * length
    metrics["waypoints_reached"] = float(round(metrics["waypoint_hit_rate"] * max(length // spacing, 1.0)))
    metrics["off_road_share"] = share = min(outside / distance, 1.0) if distance > 0.0 else 0.0
    infractions = [Infraction(kind) for name, kind in INFRACTIONS.items() for _ in range(round(metrics[name]))]
    if share > 0.0:
        infractions.append(Infraction(OUTSIDE_LANES, 100.0 * share))
    for name, rules in (("driving_score_2_0", LEADERBOARD_2_0), ("driving_score_2_1", LEADERBOARD_2_1)):
        metrics[name] = driving_score(100.0 * completion, infractions, rules).composed
    return {
        "seed": seed,
        "scenario_number": number,
        "route": begun["route"],
        "outcome": "goal" if info["is_success"] else next((name for name in ENDINGS if metrics[name] > 0.0), "event"),
        "infractions": [infraction._asdict() for infraction in infractions],
        "infractions_per_km": 1000.0 * len(infractions) / distance if distance > 0.0 else None,
        "metrics": metrics,
    }


def _is_off_road(env: CarlaWaypointEnv) -> bool:
    """Return whether the rear axle is off the driving lanes."""
    car = env.drive.cars[0]
    if abs(car["lateral"]) < ROUTE_MARGIN:
        return False
    location = location_of(float(car["x"]), float(car["y"]), env.height)
    return env.session.map.get_waypoint(location, project_to_road=False) is None
