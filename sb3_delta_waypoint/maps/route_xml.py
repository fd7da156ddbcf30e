"""
Reading of route files of the CARLA leaderboard: version 1.0 (``<waypoint>``), version 2.x and Bench2Drive (``<position>``).

The formats are those that ``leaderboard/utils/route_parser.py`` of https://github.com/carla-simulator/leaderboard reads in the
branches ``leaderboard-1.0`` and ``leaderboard-2.0``.
"""

import math
import warnings
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from sb3_delta_waypoint.driving.frames import right_handed, wrap
from sb3_delta_waypoint.files import read_xml
from sb3_delta_waypoint.maps.lane_graph import LaneGraph
from sb3_delta_waypoint.maps.routes import Route, RouteScenario, RouteWeather, route_through
from sb3_delta_waypoint.messages import short_repr, short_text

WEATHER_PARAMETERS = (
    "cloudiness",
    "precipitation",
    "precipitation_deposits",
    "wind_intensity",
    "sun_azimuth_angle",
    "sun_altitude_angle",
    "fog_density",
    "fog_distance",
    "fog_falloff",
    "wetness",
    "scattering_intensity",
    "mie_scattering_scale",
    "rayleigh_scattering_scale",
    "dust_storm",
)
"""Names of the parameters of ``carla.WeatherParameters``."""


class RouteDescription(NamedTuple):
    """
    A route as described in a file, by a few places on the way.

    :param name: id of the route in the file
    :param town: name of the map
    :param locations: ``(x, y, yaw, z)``, with None for yaw in version 2.x, and without z where the file has none; metres and
        radians, right-handed frame
    :param weather: weather along the route, by increasing percentage
    :param scenarios: scenarios along the route
    """

    name: str
    town: str
    locations: tuple[tuple[float | None, ...], ...]
    weather: tuple[RouteWeather, ...]
    scenarios: tuple[RouteScenario, ...]

    def plan(self, road_map: LaneGraph) -> Route:
        """
        Find the line to drive along.

        :param road_map: the lanes of the route's town
        :return: the route
        :raises ValueError: if the map is of another town, a place is not on its roads, or there is no way
        """
        if road_map.town != self.town:
            raise ValueError(f"route {self.name!r} is in {self.town}, not in {road_map.town}")
        route = route_through(road_map, self.locations, self.name)
        return route._replace(weather=self.weather, scenarios=self.scenarios)


def read_route_xml(path: str | Path, town: str | None = None) -> list[RouteDescription]:
    """
    Read a route file. Text that an XML parser would expand or fetch (entities, external files) is refused.

    :param path: the ``.xml`` file
    :param town: town whose routes are read; None reads all
    :return: the routes, in the order of the file
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, the route and the element, if the file is not a route file, or holds no route (in the
        town)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such route file")
    root = read_xml(path, "a route file", forbid_dtd=True)
    if root.tag != "routes":
        raise ValueError(f"{path} is not a route file: its root element is <{short_text(root.tag)}>, not <routes>")
    routes: dict[str, RouteDescription] = {}
    for number, element in enumerate(root.findall("route")):
        where = f"{path}: route {short_text(element.get('id') or f'number {number}')}"
        try:
            route = _route(element)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if route.name in routes:
            raise ValueError(f"{where}: there is another route of this id")
        routes[route.name] = route
    if not routes:
        raise ValueError(f"{path}: there is no <route> in it")
    chosen = [route for route in routes.values() if town in (None, route.town)]
    if not chosen:
        towns = short_text(", ".join(sorted({route.town for route in routes.values()})))
        raise ValueError(f"{path}: no route in {town}, only in {towns}")
    return chosen


def _route(element: Element) -> RouteDescription:
    name, town = (_text(element, attribute) for attribute in ("id", "town"))
    old, new = element.findall("waypoint"), element.findall("waypoints/position")
    if bool(old) == bool(new):
        raise ValueError("there must be either <waypoint> elements (leaderboard 1.0) or <waypoints><position> (2.0)")
    if len(old or new) < 2:
        raise ValueError("there is one place only, but a route needs at least 2")
    locations = [_location(place, heading=True) for place in old] + [_location(place, heading=False) for place in new]
    weather = [_weather(each) for each in (*element.findall("weather"), *element.findall("weathers/weather"))]
    scenarios = [_scenario(each) for each in element.findall("scenarios/scenario")]
    weather.sort(key=lambda each: each.percentage)
    return RouteDescription(name, town, tuple(locations), tuple(weather), tuple(scenarios))


def _location(element: Element, heading: bool) -> tuple[float | None, ...]:
    """Read a place, in the form of :mod:`~.routes`."""
    yaw = _yaw(element) if heading else None
    return (*_position(element), yaw, _number(element, "z")) if "z" in element.attrib else (*_position(element), yaw)


def _position(element: Element) -> tuple[float, float]:
    return right_handed(_number(element, "x"), _number(element, "y"), 0.0)[:2]


def _yaw(element: Element) -> float:
    return wrap(right_handed(0.0, 0.0, _number(element, "yaw"))[2])


def _weather(element: Element) -> RouteWeather:
    parameters = {name: _number(element, name) for name in element.attrib if name in WEATHER_PARAMETERS}
    if unknown := sorted(set(element.attrib) - {*WEATHER_PARAMETERS, "id", "route_percentage"}):
        warnings.warn(f"ignored {short_text(', '.join(unknown))}: not a parameter of CARLA's weather", stacklevel=2)
    percentage = _number(element, "route_percentage") if "route_percentage" in element.attrib else 0.0
    return RouteWeather(percentage, parameters)


def _scenario(element: Element) -> RouteScenario:
    triggers = element.findall("trigger_point")
    if len(triggers) != 1:
        raise ValueError(f"scenario {short_repr(element.get('name'))} has {len(triggers)} <trigger_point>, expected 1")
    trigger = (*_position(triggers[0]), _yaw(triggers[0]))
    others = tuple((part.tag, dict(part.attrib)) for part in element if part is not triggers[0])
    return RouteScenario(_text(element, "name"), _text(element, "type"), trigger, others)


def _text(element: Element, attribute: str) -> str:
    if not (value := element.get(attribute)):
        raise ValueError(f"<{element.tag}>: attribute {attribute!r} is missing")
    return value


def _number(element: Element, attribute: str) -> float:
    text = _text(element, attribute)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"<{element.tag}>: attribute {attribute!r} is {short_repr(text)}, expected a finite number")
    return value
