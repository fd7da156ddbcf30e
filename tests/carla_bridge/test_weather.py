"""Weather by name and by numbers."""

import pytest

carla = pytest.importorskip("carla")


def test_weather_by_name_and_by_numbers(make):
    env = make(weather="HardRainSunset")
    env.reset(seed=1)
    env.step(env.expert_plan())
    assert env.session.world.get_weather().precipitation == carla.WeatherParameters.HardRainSunset.precipitation
    env = make(weather={"fog_density": 30})
    env.reset(seed=1)
    env.step(env.expert_plan())
    assert env.session.world.get_weather().fog_density == 30.0
