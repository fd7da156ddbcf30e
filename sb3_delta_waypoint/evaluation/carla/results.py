"""
Result files of a closed-loop evaluation: ``scenario_<name>.json`` with every episode, ``metrics.json`` with the statistics.

Both are valid JSON at any time, and an interrupted evaluation continues from them.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from sb3_delta_waypoint.driving.metrics import as_rates
from sb3_delta_waypoint.evaluation.carla.suite import MAX_EPISODES, CarlaScenario
from sb3_delta_waypoint.evaluation.compare import compare
from sb3_delta_waypoint.evaluation.statistics import summarise_all
from sb3_delta_waypoint.files import naming, read_json, write_json
from sb3_delta_waypoint.messages import short_text

DrivenEpisode = dict[str, Any]
"""One driven episode: ``policy``, ``episode``, ``metrics`` and the other values of :func:`~.closed_loop.drive_episode`."""
SERVER = ("backend", "server_version", "client_version")
"""Properties of the server that must be the same in all results of a folder."""
_NUMBER = {"minimum": -1e300, "maximum": 1e300}
_SCHEMA = {
    "type": "object",
    "required": ["settings", "n_episodes", "episodes", *SERVER, "town"],
    "properties": {
        "settings": {"type": "object"},
        "n_episodes": {"type": ["integer", "null"], "minimum": 1, "maximum": 2 * MAX_EPISODES},
        "faults": {"type": "array", "items": {"type": "object"}},
        "episodes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["policy", "episode", "metrics", "infractions"],
                "properties": {
                    "policy": {"type": "string"},
                    "episode": {"type": "integer", "minimum": 0, "maximum": 2 * MAX_EPISODES},
                    "metrics": {
                        "type": "object",
                        "required": ["distance"],
                        "properties": {"distance": {"type": "number"}},
                        "patternProperties": {"": {**_NUMBER, "type": ["number", "null"]}},
                    },
                    "infractions": {
                        "type": "array",
                        "items": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
                    },
                },
            },
        },
        **{name: {"type": "string"} for name in (*SERVER, "town")},
    },
}


class ScenarioResults:
    """
    The results of one scenario and their file.

    :param path: path of the file
    :param name: name of the scenario
    :param settings: settings of the evaluation, all or some of them; existing results with other settings are refused
    :param fresh: discard existing results
    :raises ValueError: if the file is damaged, or was written with other settings
    """

    def __init__(self, path: Path, name: str, settings: Mapping[str, Any], fresh: bool = False):
        self.path, self.name, self.settings = path, name, settings
        self.server: dict[str, str] = {}
        """Properties of the server: the keys of :data:`SERVER`, and ``town``; empty before the first episode."""
        self.wanted: int | None = None
        """Number of episodes for each policy; None until it is known."""
        self.episodes: list[DrivenEpisode] = []
        self.faults: list[dict[str, Any]] = []
        """Episodes that could not be driven."""
        if path.exists() and not fresh:
            self._read()

    def _read(self) -> None:
        try:
            content = read_json(self.path, "result")
            with naming(self.path):
                self._check(content)
        except ValueError as error:
            reason = short_text(str(error).removeprefix(f"{self.path}: "))
            raise ValueError(f"{self.path} is not a result of carla-eval, or is damaged: remove it ({reason})") from None
        settings, self.episodes = content["settings"], content["episodes"]
        self.wanted = None if content["n_episodes"] is None else int(content["n_episodes"])  # 2.0 counts as an integer, too
        self.server = {key: content[key] for key in (*SERVER, "town")}
        self.faults = content.get("faults", [])
        refuse_difference(self.path, settings, self.settings)
        self.settings = settings

    def _check(self, content: Any) -> None:
        error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_SCHEMA).iter_errors(content))
        if error is not None:
            field = ".".join(map(str, error.absolute_path))
            raise ValueError(f"{field}: {error.message}" if field else error.message)
        metrics = {tuple(sorted(episode["metrics"])) for episode in content["episodes"]}
        if len(metrics) > 1:
            raise ValueError("its episodes have different metrics")

    def want(self, n_episodes: int) -> None:
        """
        Set the number of episodes. It can be increased later, but not reduced.

        :param n_episodes: number of episodes for each policy
        :raises ValueError: if there are results of more episodes
        """
        if self.wanted is not None and n_episodes < self.wanted:
            raise ValueError(
                f"{self.path} is an evaluation of {self.wanted} episodes: ask for at least as many, or choose another folder"
            )
        self.wanted = n_episodes

    def done(self, episode: int, policy: str) -> bool:
        """Return whether a policy has driven an episode."""
        return any(found["episode"] == episode and found["policy"] == policy for found in self.episodes)

    def left(self, policies: Sequence[str]) -> list[tuple[int, str]]:
        """Return the episodes that remain to be driven, each with the name of the policy."""
        assert self.wanted is not None
        pairs = [(episode, policy) for episode in range(self.wanted) for policy in policies]
        return [(episode, policy) for episode, policy in pairs if not self.done(episode, policy)]

    def add(self, episode: DrivenEpisode) -> None:
        """Add an episode and write the file."""
        self.episodes.append(episode)
        self.write({})

    def summary(self, policies: Sequence[str]) -> dict[str, Any]:
        """Return the statistics of the scenario, see :func:`summarise_episodes`."""
        return {"n_episodes": self.wanted, **summarise_episodes([self.episodes], policies), "faults": self.faults}

    def write(self, summary: Mapping[str, Any]) -> None:
        """
        Write the file.

        :param summary: result of :meth:`summary`; empty while episodes are still being driven
        """
        described = {"scenario": self.name, **self.server, "settings": self.settings, "n_episodes": self.wanted}
        write_json(self.path, {**described, **summary, "episodes": self.episodes})


class ResultFolder:
    """
    A folder with the results of a closed-loop evaluation.

    :param folder: the folder, created with the first result
    :param run: checkpoints and seeds of the evaluation, which are part of the settings of each scenario
    :param scenarios: the scenarios of this evaluation; results of others in the folder stay in the summary
    :param policies: names of the policies, ``"sft"`` before ``"rl"``
    :param fresh: discard earlier results
    :raises ValueError: if an earlier result is damaged, or was made with other settings
    """

    def __init__(
        self,
        folder: str | Path,
        run: Mapping[str, Any],
        scenarios: Sequence[CarlaScenario],
        policies: Sequence[str],
        fresh: bool = False,
    ):
        self.folder, self.run, self.policies = Path(folder), run, policies
        self.scenarios: dict[str, ScenarioResults] = {}
        for scenario in scenarios:
            settings = _as_read({**run, "base_seed": scenario.base_seed(run["seed"]), **scenario.settings()})
            path = self._path(scenario.name)
            self.scenarios[scenario.name] = ScenarioResults(path, scenario.name, settings, fresh)
        for path in () if fresh else sorted(self.folder.glob(self._path("*").name)):
            if path not in [results.path for results in self.scenarios.values()]:
                name = path.stem.removeprefix("scenario_")
                self.scenarios[name] = ScenarioResults(path, name, _as_read(run))

    def _path(self, name: str) -> Path:
        return self.folder / f"scenario_{name}.json"

    def begin(self, name: str, server: dict[str, str]) -> None:
        """
        Register the server that is about to drive a scenario.

        :param name: name of the scenario
        :param server: properties of the server: the keys of :data:`SERVER`, and ``town``
        :raises ValueError: if earlier results come from another server
        """
        results = self.scenarios[name]
        for other in self.scenarios.values():
            keys = (*SERVER, "town") if other is results else SERVER
            for key in keys if other.server else ():
                refuse_difference(other.path, {key: other.server[key]}, {key: server[key]})
        results.server, results.faults = server, []

    def write(self) -> dict[str, Any]:
        """
        Write the statistics of all episodes driven up to now.

        :return: content of ``metrics.json``: the result of :func:`summarise_episodes`, by scenario and over all scenarios
        """
        begun = {name: results for name, results in self.scenarios.items() if results.episodes or results.faults}
        if not begun:
            return {}
        by_scenario = {}
        for name, results in begun.items():
            summary = results.summary(self.policies)
            results.write(summary)
            by_scenario[name] = {"town": results.server["town"], "settings": results.settings, **summary}
        one = next(iter(begun.values()))
        content = {
            **{key: one.server[key] for key in SERVER},
            "settings": self.run,
            "complete": all(r.wanted is not None and not r.left(self.policies) for r in self.scenarios.values()),
            "overall": summarise_episodes([results.episodes for results in begun.values()], self.policies),
            "scenarios": by_scenario,
        }
        write_json(self.folder / "metrics.json", content)
        return content


def summarise_episodes(scenarios: Sequence[Sequence[DrivenEpisode]], policies: Sequence[str]) -> dict[str, Any]:
    """
    Return the statistics of episodes. Only episodes that all policies have driven are included.

    :param scenarios: the episodes of each scenario
    :param policies: names of one or two policies, ``"sft"`` before ``"rl"``
    :return: for two policies ``comparison`` (see :func:`~sb3_delta_waypoint.evaluation.compare.compare`), for one ``metrics``;
        and ``infractions_per_km`` of each policy, by kind and in total: all infractions divided by all kilometres. Empty if no
        episode is included
    """
    chosen: dict[str, list[DrivenEpisode]] = {policy: [] for policy in policies}
    for episodes in scenarios:
        found = {policy: {e["episode"]: e for e in episodes if e["policy"] == policy} for policy in policies}
        for number in sorted(set.intersection(*map(set, found.values()))):
            for policy in policies:
                chosen[policy].append(found[policy][number])
    if not chosen[policies[0]]:
        return {}
    arrays = [_arrays(chosen[policy]) for policy in policies]
    statistics: dict[str, Any] = (
        {"comparison": compare(*arrays)} if len(arrays) == 2 else {"metrics": summarise_all(as_rates(arrays[0]))}
    )
    return {**statistics, "infractions_per_km": {policy: _per_km(chosen[policy]) for policy in policies}}


def refuse_difference(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """
    Refuse settings that differ from those of an earlier result.

    :param path: file of the earlier result
    :param earlier: settings of the earlier result
    :param now: the current settings
    :raises ValueError: naming the first setting that differs
    """
    for key in now:
        if earlier.get(key) != now[key]:
            raise ValueError(
                f"{path} is the result of other settings: {key} was {_shown(earlier.get(key))}, is {_shown(now[key])}; "
                "choose another --output-dir, or remove the old results"
            )


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _as_read(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are read back from a JSON file."""
    read: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return read


def _arrays(episodes: Sequence[DrivenEpisode]) -> dict[str, np.ndarray]:
    names = episodes[0]["metrics"]
    # NaN is written as null, which becomes NaN again
    return {name: np.array([episode["metrics"][name] for episode in episodes], dtype=np.float64) for name in names}


def _per_km(episodes: Sequence[DrivenEpisode]) -> dict[str, float]:
    km = sum(episode["metrics"]["distance"] for episode in episodes) / 1000.0
    counts = Counter(infraction["kind"] for episode in episodes for infraction in episode["infractions"])
    return {kind: count / km if km > 0.0 else np.nan for kind, count in {**counts, "total": counts.total()}.items()}
