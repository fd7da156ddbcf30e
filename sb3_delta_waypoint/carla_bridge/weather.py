"""The weather of an env, given by name or by numbers."""

from collections.abc import Mapping
from typing import Any

from sb3_delta_waypoint.bounds import Bounds, check_number
from sb3_delta_waypoint.messages import short_repr


def weather_parameters(weather: str | Mapping[str, float] | None) -> Any:
    """
    Make CARLA's weather parameters.

    :param weather: a preset of ``carla.WeatherParameters``, or parameters by name, of which the others are as at clear noon
    :return: ``carla.WeatherParameters``, or None if no weather is given
    :raises ValueError: for an unknown preset or parameter, or a value that is not a number
    """
    import carla

    if weather is None:
        return None
    if not isinstance(weather, str | Mapping):
        raise ValueError(f"weather={short_repr(weather)}: expected the name of a preset, or parameters by name")
    if isinstance(weather, str):
        presets = [name for name, value in vars(carla.WeatherParameters).items() if isinstance(value, carla.WeatherParameters)]
        if weather not in presets:
            accepted = ", ".join(sorted(presets))
            raise ValueError(f"weather={short_repr(weather)}; accepted are {accepted}, or parameters by name")
        return getattr(carla.WeatherParameters, weather)
    clear = carla.WeatherParameters.ClearNoon
    known = [name for name, value in vars(carla.WeatherParameters).items() if isinstance(value, property)]
    values = {name: getattr(clear, name) for name in known}
    for name, value in weather.items():
        if name not in known:
            raise ValueError(f"weather: {short_repr(name)} is unknown; accepted are {', '.join(known)}")
        check_number(f"weather: {name}", value, Bounds(-1e6, 1e6))
        values[name] = float(value)
    return carla.WeatherParameters(**values)
