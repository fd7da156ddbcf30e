"""The weather, by name or by numbers."""

from collections.abc import Mapping
from typing import Any


def weather_parameters(weather: str | Mapping[str, float] | None) -> Any:
    """
    :param weather: a preset of ``carla.WeatherParameters``, or parameters by name; those that are not named are those of clear
        noon
    :return: ``carla.WeatherParameters``, None for None
    :raises ValueError: for an unknown preset or parameter
    """
    import carla

    if weather is None:
        return None
    if isinstance(weather, str):
        presets = [name for name, value in vars(carla.WeatherParameters).items() if isinstance(value, carla.WeatherParameters)]
        if weather not in presets:
            raise ValueError(f"weather={weather!r}; accepted are {', '.join(sorted(presets))}, or parameters by name")
        return getattr(carla.WeatherParameters, weather)
    clear = carla.WeatherParameters.ClearNoon
    known = [name for name, value in vars(carla.WeatherParameters).items() if isinstance(value, property)]
    values = {name: getattr(clear, name) for name in known}
    for name, value in weather.items():
        if name not in known:
            raise ValueError(f"weather={dict(weather)!r}: {name!r} is unknown; accepted are {', '.join(known)}")
        values[name] = float(value)
    return carla.WeatherParameters(**values)
