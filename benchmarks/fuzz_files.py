"""The kinds of files that ``fuzz.py`` damages, with a valid file and a reader of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO

from sb3_delta_waypoint import DeltaWaypointPolicy, SFTWaypointModel, WaypointPolicy, make_waypoint_vec_env, zoo
from sb3_delta_waypoint.driving.network import from_paths
from sb3_delta_waypoint.episodes.paths import driven_paths
from sb3_delta_waypoint.episodes.reader import read_episode
from sb3_delta_waypoint.episodes.recorder import record_episodes
from sb3_delta_waypoint.evaluation.carla.results import ScenarioResults
from sb3_delta_waypoint.evaluation.carla.suite import SUITE, read_suite
from sb3_delta_waypoint.evaluation.leaderboard.driving_score import KINDS as INFRACTIONS
from sb3_delta_waypoint.evaluation.leaderboard.result_file import average, check_averages, check_record, read_results
from sb3_delta_waypoint.evaluation.predictions import read_predictions
from sb3_delta_waypoint.files import naming, write_json
from sb3_delta_waypoint.maps import town
from sb3_delta_waypoint.maps.opendrive import load_opendrive
from sb3_delta_waypoint.maps.route_file import read_routes
from sb3_delta_waypoint.maps.route_xml import read_route_xml
from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
from sb3_delta_waypoint.zoo.hyperparameters import HYPERPARAMS
from sb3_delta_waypoint.zoo.manager import WaypointExperimentManager

OBSERVATION = {"state": np.zeros(4, np.float32), "route": np.ones((10, 2), np.float32)}
ROUTES_XML = """<routes>
  <route id="0" town="Town12">
    <weathers><weather route_percentage="0" cloudiness="5.0"/><weather route_percentage="100" cloudiness="9.0"/></weathers>
    <waypoints><position x="983.5" y="5373.2" z="371.2"/><position x="988.5" y="5365.2" z="371.3"/></waypoints>
    <scenarios>
      <scenario name="Accident_1" type="Accident"><trigger_point x="980.1" y="5382.8" z="371.5" yaw="305.9"/></scenario>
    </scenarios>
  </route>
  <route id="1" town="Town01"><waypoint x="1.5" y="2.0" z="0" yaw="90.0"/><waypoint x="1.5" y="30.0" z="0" yaw="90.0"/></route>
</routes>
"""


class Kind(NamedTuple):
    """
    A kind of file.

    :param suffix: suffix of the file name
    :param format: format, which determines the ways to damage it
    :param read: the reader, with what the commands do first with the result
    """

    suffix: str
    format: str
    read: Callable[[Path], Any]


def _read_planner(path: Path) -> None:
    WaypointPolicy(load_planner(path))(OBSERVATION)


def _read_episode(path: Path) -> None:
    episode = read_episode(path)
    with naming(path):
        try:
            from_paths(driven_paths([episode]))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _read_results(path: Path) -> None:
    results = read_results(path)
    for record in results.records:
        check_record(record)
    average(results.records, results.n_routes)
    check_averages(results)


def _read_closed_loop(path: Path) -> None:
    results = ScenarioResults(path, "ahead", {})
    if results.wanted is not None and results.wanted < 10_000:
        results.left(["sft"])
    results.summary(["sft"])


def _read_hyperparameters(path: Path) -> None:
    def read(manager: WaypointExperimentManager) -> tuple[None, None]:
        manager.read_hyperparameters()
        return None, None

    with patch.object(WaypointExperimentManager, "setup_experiment", read):
        zoo.train(["--algo", "ppo", "-conf", str(path), "-f", str(path.parent / "logs")])


KINDS = {
    "planner": Kind(".pt", "planner", _read_planner),
    "model": Kind(".zip", "zip", lambda path: WaypointPolicy(path)(OBSERVATION)),
    "episode": Kind(".episode.json", "json", _read_episode),
    "predictions": Kind(".predictions.json", "json", lambda path: read_predictions(path).metrics()),
    "results": Kind(".results.json", "json", _read_results),
    "closed_loop": Kind(".scenario.json", "json", _read_closed_loop),
    "suite": Kind(".suite.yml", "yaml", lambda path: [scenario.settings() for scenario in read_suite(path)]),
    "routes_xml": Kind(".xml", "xml", read_route_xml),
    "routes_json": Kind(".routes.json", "json", read_routes),
    "map": Kind(".xodr", "xml", load_opendrive),
    "hyperparams": Kind(".yml", "yaml", _read_hyperparameters),
}


def valid_files(folder: Path) -> dict[str, bytes]:
    """
    Make a valid file of each kind.

    :param folder: folder for the files, which are named ``valid`` with the suffix of the kind
    :return: content of the files by kind
    """
    paths = {name: folder / f"valid{kind.suffix}" for name, kind in KINDS.items()}
    save_planner(SFTWaypointModel(hidden_dims=(4,)), paths["planner"])
    policy_kwargs = {"sft": SFTWaypointModel(hidden_dims=(4,)), "delta_hidden_dim": 4, "value_hidden_dim": 4}
    PPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=2), n_steps=8, batch_size=16, policy_kwargs=policy_kwargs).save(
        paths["model"]
    )
    (episode,) = record_episodes(gym.make("ToyWaypoint-v0", route_length=10.0, horizon_steps=4), 1, folder / "episodes")
    paths["episode"].write_bytes(episode.read_bytes())
    plan = [[1.0, 0.0], [2.0, 0.1]]
    samples = [{"episode_id": "a", "t": 0.1 * i, "predicted": plan, "expert": plan} for i in range(3)]
    write_json(paths["predictions"], {"horizon_steps": 2, "dt": 0.1, "samples": samples})
    infractions = {kind: [] for kind in INFRACTIONS} | {"min_speed_infractions": ["Average speed is 80.5% of the others'"]}
    scores = {"score_route": 100.0, "score_penalty": 1.0, "score_composed": 100.0}
    record = {"route_id": "RouteScenario_1", "status": "Completed", "infractions": infractions, "scores": scores}
    checkpoint = {"records": [record, record], "progress": [2, 2], "global_record": {"scores_mean": scores}}
    write_json(paths["results"], {"_checkpoint": checkpoint})
    metrics = {"distance": 9.0, "ade": None, "success_rate": 1.0}
    driven = {"policy": "sft", "metrics": metrics, "infractions": [{"kind": "red_light"}]}
    server = {"backend": "loopback", "server_version": "0.9.16", "client_version": "0.9.16", "town": "Town01"}
    episodes = [{**driven, "episode": number} for number in range(2)]
    write_json(paths["closed_loop"], {**server, "settings": {}, "n_episodes": 2, "faults": [], "episodes": episodes})
    paths["suite"].write_bytes(SUITE.read_bytes())
    paths["routes_xml"].write_text(ROUTES_XML)
    points = [[0.0, 0.0], [20.0, 1.0], [40.0, 0.0]]
    write_json(paths["routes_json"], {"routes": [{"name": "a", "town": None, "points": points, "speeds": [5, None, 8.5]}]})
    paths["map"].write_text(town.town())
    paths["hyperparams"].write_bytes((HYPERPARAMS / "ppo.yml").read_bytes())
    return {name: path.read_bytes() for name, path in paths.items()}
