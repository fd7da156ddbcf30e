"""Suites: what ships, and what is wrong with others."""

import numpy as np
import pytest

carla = pytest.importorskip("carla")

# ruff: noqa: E402 (the imports below need it)

from sb3_delta_waypoint.carla_bridge.weather import weather_parameters
from sb3_delta_waypoint.evaluation.carla.suite import CarlaScenario, choose, is_kind, read_suite
from sb3_delta_waypoint.maps.route_xml import WEATHER_PARAMETERS

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def write(tmp_path, text):
    path = tmp_path / "suite.yml"
    path.write_text(text)
    return path


def test_the_suite_that_ships_spells_out_carlas_weathers():
    suite = {scenario.name: scenario for scenario in read_suite()}
    presets = {
        "straight_clear": "ClearNoon",
        "straight_cloudy": "CloudyNoon",
        "straight_night": "ClearNight",
        "straight_rain": "HardRainNoon",
        "turn_clear": "ClearNoon",
    }
    assert list(suite) == list(presets)
    for name, preset in presets.items():
        weather = suite[name].weather
        assert sorted(weather) == sorted(WEATHER_PARAMETERS)
        expected = getattr(carla.WeatherParameters, preset)
        for key in WEATHER_PARAMETERS:
            assert getattr(weather_parameters(weather), key) == pytest.approx(getattr(expected, key))
        assert suite[name].route == name.partition("_")[0]
        assert suite[name].episodes >= 20


def test_a_suite_of_ones_own(tmp_path):
    (tmp_path / "routes.xml").write_text("<routes/>")
    path = write(
        tmp_path,
        """
        env: {route_length: 50, fps: 20}
        episodes: 3
        weather: {murky: {fog_density: 80}}
        scenarios:
          one: {route: turn, weather: murky}
          two: {route: any, episodes: 5, env: {fps: 10, town: map.xodr}, weather: ClearNoon}
          three: {routes: routes.xml}
        """,
    )
    one, two, three = read_suite(path)
    assert (one.route, one.episodes, one.weather) == ("turn", 3, {"fog_density": 80})
    assert one.env == {"route_length": 50, "fps": 20}
    assert (two.episodes, two.weather) == (5, "ClearNoon")
    assert two.env == {"route_length": 50, "fps": 10, "town": str(tmp_path / "map.xodr")}
    assert (three.routes, three.episodes, three.weather) == (tmp_path / "routes.xml", None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenarios: [a", "not readable as YAML"),
        ("episodes: 3", "must have 'scenarios'"),
        ("scenario: {}\nscenarios: {a: {route: any, episodes: 1}}", "'scenario' is unknown"),
        ("scenarios: {a: {route: curvy, episodes: 1}}", "scenario a: route is 'curvy'; accepted are straight, turn, any"),
        ("scenarios: {a: {episodes: 1}}", "scenario a: give either 'route'"),
        ("scenarios: {a: {route: any}}", "scenario a: 'episodes' is missing"),
        ("scenarios: {a: {route: any, episodes: 0}}", "scenario a: episodes is 0"),
        ("scenarios: {a: {route: any, episodes: 1, weather: Hail}}", "scenario a: weather='Hail'; accepted are .*ClearNoon"),
        ("scenarios: {a: {route: any, episodes: 1, weather: {hail: 1}}}", "'hail' is unknown"),
        ("scenarios: {a: {route: any, episodes: 1, env: {speed: 3}}}", "scenario a: env: 'speed' is unknown; .*route_length"),
        ("scenarios: {a: {route: any, episodes: 1, env: {port: 3}}}", "'port' is unknown"),
        ("scenarios: {a: {route: any, episodes: 1, weather: 3}}", "scenario a: weather=3: expected the name of a preset"),
        ("scenarios: {a: {route: any, episodes: 1, weather: {fog_density: .nan}}}", "fog_density=nan: expected a number"),
        ("scenarios: {a: {route: any, episodes: 1, weather: {fog_density: {}}}}", "fog_density={}: expected a number"),
        (
            "scenarios: {a: {route: any, episodes: 1000000000000}}",
            "episodes is 1000000000000, expected .* from 1 to 1,000,000",
        ),
        ("scenarios: {../a: {route: any, episodes: 1}}", "scenario '../a': a name consists of"),
        (
            f"scenarios: {{{'a' * 999}: {{route: any, episodes: 1}}}}",
            r"scenario 'a{30,60}\.\.\.a{30,60}': a name consists of 1 to 100",
        ),
        # 600 bytes, of which a message would be 3 GB long
        (f"{BOMB}scenarios: {{a: {{route: any, episodes: 1, env: *i}}}}", "more than 100,000 values"),
    ],
)
def test_what_is_wrong_with_a_suite_is_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_suite(path)
    assert str(path) in str(caught.value)


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no suite .*none.yml"):
        read_suite(tmp_path / "none.yml")
    with pytest.raises(FileNotFoundError, match=r"scenario a: there is no route file .*none.xml"):
        read_suite(write(tmp_path, "scenarios: {a: {routes: none.xml}}"))


def test_chosen_scenarios_are_in_the_order_of_the_suite():
    suite = read_suite()
    assert [scenario.name for scenario in choose(suite, ["turn_clear", "straight_clear"])] == ["straight_clear", "turn_clear"]
    assert choose(suite, []) == suite
    with pytest.raises(ValueError, match="there is no scenario 'straight_snow'; the suite has straight_clear, .*turn_clear"):
        choose(suite, ["straight_snow"])


def arc(degrees):
    headings = np.radians(np.linspace(0.0, degrees, 100) + 170.0)  # across the place where angles wrap
    return np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0)


def test_kinds_of_routes():
    back_and_forth = np.concatenate([arc(40), arc(40)[-1] + (arc(40) - arc(40)[0])[1:]])
    for points, straight, turn in ((arc(10), True, False), (arc(-30), False, False), (arc(-90), False, True)):
        assert (is_kind("straight", points), is_kind("turn", points), is_kind("any", points)) == (straight, turn, True)
    assert not is_kind("straight", back_and_forth) and not is_kind("turn", back_and_forth)


def test_each_name_has_episodes_of_its_own():
    one, other = CarlaScenario("one"), CarlaScenario("other")
    assert one.base_seed(1) != other.base_seed(1)
    assert one.base_seed(1) != one.base_seed(2)
    assert one.base_seed(1) == CarlaScenario("one", weather="ClearNoon").base_seed(1)
