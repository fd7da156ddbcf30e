"""Scenarios of a closed-loop evaluation, from the suite of this package, a YAML file or a file of routes."""

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
"""The suite that ships with the package; its comments document the format."""
KINDS = ("straight", "turn", "any")
"""Kinds of routes that can be drawn."""
STRAIGHT = 20.0
"""Maximum range of the heading on a straight route [degrees]."""
MAX_EPISODES = 1_000_000
"""Maximum number of episodes of a scenario."""
TURN = 45.0
"""Minimum change of heading from start to end of a turn [degrees]."""

_SET_BY_COMMAND = {"self", "host", "port", "routes", "weather", "timeout", "render_mode", "horizon_steps", "plan_dt", "kwargs"}
ENV_ARGUMENTS = tuple(
    name
    for function in (CarlaWaypointEnv.__init__, driving_config)
    for name in inspect.signature(function).parameters
    if name not in _SET_BY_COMMAND
)
"""Arguments of ``CarlaWaypoint-v0`` that a suite may set."""


@dataclass(frozen=True)
class CarlaScenario:
    """
    A scenario: routes of one kind in one weather.

    :param name: name in files and tables
    :param episodes: number of episodes; None for one on each route of the file
    :param route: kind of the drawn routes, one of :data:`KINDS`; not used with ``routes``
    :param routes: a file of routes that are driven in turn
    :param weather: argument ``weather`` of ``CarlaWaypoint-v0``
    :param env: further arguments of ``CarlaWaypoint-v0``
    :raises ValueError: naming the invalid argument
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
        Return the base seed of the scenario's episodes. It depends on the scenario's name, so that no two scenarios of a suite
        have the same episodes, whichever scenarios are evaluated.

        :param seed: seed of the evaluation
        :return: the base seed
        """
        return (seed + zlib.crc32(self.name.encode())) % 2**63

    def settings(self) -> dict[str, Any]:
        """Return the settings that results must share to be comparable, as JSON values, without the number of episodes."""
        routes = {"route": self.route}
        if self.routes is not None:
            routes = {"routes": self.routes.name, "routes_sha256": sha256(self.routes)}
        return {**routes, "weather": self.weather, "env": dict(self.env)}


def read_suite(path: str | Path | None = None) -> list[CarlaScenario]:
    """
    Read a suite.

    :param path: a YAML file; None for the suite of this package
    :return: its scenarios
    :raises FileNotFoundError: if the file, or a file that it names, does not exist
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
    Return the scenarios of a suite with given names.

    :param suite: all scenarios
    :param names: names of the scenarios to return; empty for all
    :return: these scenarios, in the order of the suite
    :raises ValueError: naming the scenario that is not in the suite
    """
    names = list(names)
    known = [scenario.name for scenario in suite]
    for name in names:
        if name not in known:
            raise ValueError(f"there is no scenario {name!r}; the suite has {', '.join(known)}")
    return [scenario for scenario in suite if not names or scenario.name in names]


def is_kind(kind: str, points: np.ndarray) -> bool:
    """
    Return whether a route is of a kind.

    :param kind: one of :data:`KINDS`
    :param points: points of the route, float64 ``(N, 2)`` with N at least 2, metres, world frame
    :return: whether it is
    """
    steps = np.diff(points, axis=0)
    headings = np.degrees(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    if kind == "straight":
        return bool(np.ptp(headings) <= STRAIGHT)
    return kind == "any" or bool(abs(headings[-1] - headings[0]) >= TURN)


def sha256(path: Path) -> str:
    """
    Return the SHA-256 hash of a file.

    :param path: path of the file
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
