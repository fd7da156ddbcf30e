"""What a closed-loop evaluation drives: named scenarios, from the suite of this package, a YAML file or a file of routes."""

import hashlib
import inspect
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sb3_delta_waypoint.carla_bridge.env import CarlaWaypointEnv
from sb3_delta_waypoint.carla_bridge.weather import weather_parameters
from sb3_delta_waypoint.envs.configuration import driving_config
from sb3_delta_waypoint.files import naming, read_yaml
from sb3_delta_waypoint.messages import short_repr, short_text

SUITE = Path(__file__).with_name("suite.yml")
"""The suite that ships with the package; its comments say what a suite may hold."""
KINDS = ("straight", "turn", "any")
"""Kinds of routes that can be drawn."""
STRAIGHT = 20.0
"""On a straight route the heading stays within so many degrees."""
MAX_EPISODES = 1_000_000
"""Episodes of a scenario, at most."""
TURN = 45.0
"""On a turn the heading changes by at least so many degrees from end to end."""

_SET_BY_COMMAND = {"self", "host", "port", "routes", "weather", "timeout", "render_mode", "horizon_steps", "plan_dt", "kwargs"}
ENV_ARGUMENTS = tuple(
    name
    for function in (CarlaWaypointEnv.__init__, driving_config)
    for name in inspect.signature(function).parameters
    if name not in _SET_BY_COMMAND
)
"""Arguments of ``CarlaWaypoint-v0`` that a suite may give."""


@dataclass(frozen=True)
class CarlaScenario:
    """
    Routes of one kind in one weather.

    :param name: for files and tables
    :param episodes: how many are driven; None for one on each route of the file
    :param route: which routes are drawn, of :data:`KINDS`; not used with ``routes``
    :param routes: a file of routes that are driven in turn
    :param weather: as ``CarlaWaypoint-v0`` takes it
    :param env: further arguments of ``CarlaWaypoint-v0``
    :raises ValueError: naming what makes no sense
    :raises FileNotFoundError: if there is no such file of routes
    """

    name: str
    episodes: int | None = None
    route: str = "any"
    routes: Path | None = None
    weather: str | Mapping[str, float] | None = None
    env: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]{0,99}", self.name):
            raise ValueError(
                f"scenario {short_repr(self.name)}: a name consists of 1 to 100 letters, digits, '_', '-' and '.'"
            )
        if self.route not in KINDS:
            raise ValueError(f"scenario {self.name}: route is {short_repr(self.route)}; accepted are {', '.join(KINDS)}")
        if self.episodes is not None and (type(self.episodes) is not int or not 1 <= self.episodes <= MAX_EPISODES):
            given = short_repr(self.episodes)
            raise ValueError(f"scenario {self.name}: episodes is {given}, expected a whole number from 1 to {MAX_EPISODES:,}")
        if self.routes is not None and not self.routes.is_file():
            raise FileNotFoundError(f"scenario {self.name}: there is no route file {self.routes}")
        _refuse_unknown(f"scenario {self.name}: env", self.env, ENV_ARGUMENTS)
        try:
            weather_parameters(self.weather)
        except (ValueError, TypeError) as error:
            raise ValueError(f"scenario {self.name}: {error}") from None

    def base_seed(self, seed: int) -> int:
        """
        The base seed of the scenario's episodes: each name has its own, so that no two scenarios of a suite drive the same
        episodes, and which others are chosen makes no difference.

        :param seed: of the evaluation
        :return: the seed
        """
        return (seed + zlib.crc32(self.name.encode())) % 2**63

    def settings(self) -> dict[str, Any]:
        """What makes results of this scenario comparable, as JSON values; the number of episodes is no part of it."""
        routes = {"route": self.route}
        if self.routes is not None:
            routes = {"routes": self.routes.name, "routes_sha256": sha256(self.routes)}
        return {**routes, "weather": self.weather, "env": dict(self.env)}


def read_suite(path: str | Path | None = None) -> list[CarlaScenario]:
    """
    Read a suite.

    :param path: a YAML file; None for the suite of this package
    :return: its scenarios
    :raises FileNotFoundError: if there is no such file, or it names a file that is not there
    :raises ValueError: naming the file, the scenario and the key that is wrong
    """
    path = SUITE if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no suite {path}; omit it for the one that ships with the package, {SUITE}")
    content = read_yaml(path, "suite")
    if not isinstance(content, dict) or not isinstance(content.get("scenarios"), dict) or not content["scenarios"]:
        raise ValueError(f"{path} is not a suite: it must have 'scenarios' by name, as in {SUITE}")
    with naming(path):
        try:
            _refuse_unknown("suite", content, ("env", "episodes", "weather", "scenarios"))
            common, weathers = _mapping("env", content.get("env")), _mapping("weather", content.get("weather"))
            return [
                _scenario(
                    str(name),
                    _mapping(f"scenario {short_text(name)}", given),
                    path.parent,
                    common,
                    weathers,
                    content.get("episodes"),
                )
                for name, given in content["scenarios"].items()
            ]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def choose(suite: Sequence[CarlaScenario], names: Iterable[str]) -> list[CarlaScenario]:
    """
    :param suite: all scenarios
    :param names: those wanted; none for all
    :return: the chosen ones, in the order of the suite
    :raises ValueError: naming the scenario that the suite does not have
    """
    names = list(names)
    known = [scenario.name for scenario in suite]
    for name in names:
        if name not in known:
            raise ValueError(f"there is no scenario {name!r}; the suite has {', '.join(known)}")
    return [scenario for scenario in suite if not names or scenario.name in names]


def is_kind(kind: str, points: np.ndarray) -> bool:
    """
    Whether a route is of a kind.

    :param kind: of :data:`KINDS`
    :param points: float64 ``(N, 2)``, at least two
    :return: whether it is
    """
    steps = np.diff(points, axis=0)
    headings = np.degrees(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    if kind == "straight":
        return bool(np.ptp(headings) <= STRAIGHT)
    return kind == "any" or bool(abs(headings[-1] - headings[0]) >= TURN)


def sha256(path: Path) -> str:
    """
    :param path: a file
    :return: the hash of its content, hexadecimal
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _scenario(
    name: str, given: dict[str, Any], folder: Path, common: dict[str, Any], weathers: dict[str, Any], episodes: int | None
) -> CarlaScenario:
    where = f"scenario {short_text(name)}"
    _refuse_unknown(where, given, ("route", "routes", "weather", "episodes", "env"))
    if ("route" in given) == ("routes" in given):
        raise ValueError(f"{where}: give either 'route' ({', '.join(KINDS)}) or 'routes' (a file)")
    env = {**common, **_mapping(f"{where}: env", given.get("env"))}
    if str(env.get("town", "")).endswith(".xodr"):
        env["town"] = str(folder.resolve() / env["town"])
    weather = given.get("weather")
    if "routes" in given:
        routes, number = folder / str(given["routes"]), given.get("episodes")
    else:
        routes, number = None, given.get("episodes", episodes)
        if number is None:
            raise ValueError(f"{where}: 'episodes' is missing, here and in the suite")
    if isinstance(weather, str):
        weather = weathers.get(weather, weather)
    return CarlaScenario(name, number, given.get("route", "any"), routes, weather, env)


def _mapping(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise ValueError(f"{what} is {short_repr(value)}, expected keys and values")
    return value or {}


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            raise ValueError(f"{what}: {short_repr(key)} is unknown; accepted are {', '.join(known)}")
