"""Result files of the CARLA leaderboard and of Bench2Drive: reading them, and recomputing the scores they hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import jsonschema

from sb3_delta_waypoint.evaluation.leaderboard.driving_score import (
    BENCH2DRIVE,
    BENCH2DRIVE_ROUTES,
    KINDS,
    MIN_SPEED,
    OUTSIDE_LANES,
    Infraction,
    Rules,
    Score,
    driving_score,
    is_success,
)
from sb3_delta_waypoint.files import naming, read_json
from sb3_delta_waypoint.messages import short_repr, short_text

SCORE_ROUNDING = 0.5e-6
"""Tolerance of recorded scores, which have six decimals."""
PERCENTAGE_ROUNDING = 0.5e-2
"""Tolerance of the percentage of the distance outside the lanes, which is known only from a message with two decimals."""
COMPLETED = ("Completed", "Perfect")
"""Statuses of a route whose goal was reached."""

Agreement = Literal["agrees", "unscored", "disagrees"]

# bounded, since each digit could be the first of a number
_PERCENTAGE = re.compile(r"(?<![\d.])(\d{1,40}(?:\.\d{1,40})?)% of ")
_NUMBER = {"type": "number", "minimum": -1e9, "maximum": 1e9}
# they are printed: no control characters, which a terminal would obey
_LINE = {"type": "string", "maxLength": 300, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
_SCORES = ("score_route", "score_penalty", "score_composed")
_SCHEMA = {
    "type": "object",
    "required": ["_checkpoint"],
    "properties": {
        "_checkpoint": {
            "type": "object",
            "required": ["records"],
            "properties": {
                "records": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/record"}},
                "progress": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 1e9}},
                "global_record": {
                    "type": "object",
                    "properties": {"scores_mean": {"type": "object", "additionalProperties": _NUMBER}},
                },
            },
        },
        "driving score": _NUMBER,
        "success rate": _NUMBER,
    },
    "$defs": {
        "record": {
            "type": "object",
            "required": ["route_id", "status", "infractions", "scores"],
            "properties": {
                "route_id": _LINE,
                "status": _LINE,
                "infractions": {
                    "type": "object",
                    "required": list(KINDS),
                    "propertyNames": {"enum": list(KINDS)},
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "scores": {
                    "type": "object",
                    "required": list(_SCORES),
                    "properties": {"score_route": {"type": "number", "minimum": 0, "maximum": 100}},
                    "additionalProperties": _NUMBER,
                },
            },
        }
    },
}


@dataclass(frozen=True)
class RecordedRoute:
    """
    The record of one route in a result file.

    :param route_id: id of the route
    :param status: ``Completed``, ``Perfect`` (without infractions), ``Failed - why``, or ``Started``
    :param infractions: all infractions
    :param score: the recorded score
    """

    route_id: str
    status: str
    infractions: list[Infraction]
    score: Score

    @property
    def success(self) -> bool:
        """Whether the route is a success by Bench2Drive's definition."""
        return is_success(self.status in COMPLETED, self.infractions)


class ResultFile(NamedTuple):
    """
    The content of a result file.

    :param path: path of the file
    :param records: one record per route
    :param recorded: averages over the routes by name, if the file has any
    :param n_routes: number of routes in these averages
    """

    path: Path
    records: list[RecordedRoute]
    recorded: dict[str, float]
    n_routes: int


class Check(NamedTuple):
    """
    The comparison of a recorded score with the recomputed one.

    :param record: the record
    :param score: the score recomputed from the record's infractions and route completion
    :param verdict: whether the scores agree; ``unscored`` if the run was aborted before it was scored
    :param reason: why the scores do not agree, empty if they do
    """

    record: RecordedRoute
    score: Score
    verdict: Agreement
    reason: str


def read_results(path: str | Path) -> ResultFile:
    """
    Read a result file of the leaderboard 2.0 or 2.1, or of Bench2Drive, merged or not.

    :param path: path of the JSON file
    :return: its content
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, the record and the field that is missing or malformed
    """
    path = Path(path)
    content = read_json(path, "result file", parse_constant=_no_number)
    with naming(path):
        _check_structure(path, content)
    checkpoint = content["_checkpoint"]
    records = [_record(path, index, record) for index, record in enumerate(checkpoint["records"])]
    if "driving score" in content:
        recorded = {name: content[name] for name in ("driving score", "success rate") if name in content}
        return ResultFile(path, records, recorded, BENCH2DRIVE_ROUTES)
    means = checkpoint.get("global_record", {}).get("scores_mean", {})
    recorded = {name: means[name] for name in _SCORES if name in means}
    done_and_planned = checkpoint.get("progress", [])
    return ResultFile(path, records, recorded, done_and_planned[1] if len(done_and_planned) == 2 else len(records))


def check_record(record: RecordedRoute, rules: Rules = BENCH2DRIVE) -> Check:
    """
    Recompute the score of one record.

    :param record: the record
    :param rules: rules of the benchmark that wrote the record
    :return: both scores, and whether they agree to the digits that were recorded
    """
    recorded = record.score
    score = driving_score(recorded.route, record.infractions, rules)
    low, high = (rules.penalty([_shifted(infraction, by) for infraction in record.infractions]) for by in (1, -1))
    reasons = []
    if not low - SCORE_ROUNDING * 1.01 <= recorded.penalty <= high + SCORE_ROUNDING * 1.01:
        reasons.append(f"penalty is {recorded.penalty:g}, its infractions give {score.penalty:.6g} ({_counted(record)})")
    tolerance = SCORE_ROUNDING * (1.01 + recorded.route + recorded.penalty)
    if abs(recorded.composed - recorded.route * recorded.penalty) > tolerance:
        product = recorded.route * recorded.penalty
        reasons.append(f"composed score is {recorded.composed:g}, its route and penalty give {product:.6g}")
    if not reasons:
        return Check(record, score, "agrees", "")
    if recorded == Score(0.0, 0.0, 0.0) and record.status not in COMPLETED:
        reason = f"{record.status!r}, all scores zero, though its infractions give {score.penalty:.6g} ({_counted(record)})"
        return Check(record, score, "unscored", reason)
    return Check(record, score, "disagrees", "; ".join(reasons))


def check_averages(results: ResultFile) -> list[str]:
    """
    Recompute the averages in a result file.

    :param results: content of the file
    :return: one sentence for each average that does not agree
    """
    averages = average(results.records, results.n_routes)
    return [
        f"{name} is {value:g}, the records give {averages[name]:.6g} over {results.n_routes} routes"
        for name, value in results.recorded.items()
        if abs(value - averages[name]) > 1.01 * SCORE_ROUNDING
    ]


def average(records: Sequence[RecordedRoute], n_routes: int) -> dict[str, float]:
    """
    Return averages as Bench2Drive and the leaderboard report them; routes without a record count as zero.

    :param records: the records
    :param n_routes: number of routes in the benchmark
    :return: averages by their names in the files: ``driving score``, ``success rate`` (0 to 1) of Bench2Drive;
        ``score_route``, ``score_penalty``, ``score_composed`` of the leaderboard
    """
    means = {name: sum(record.score[i] for record in records) / n_routes for i, name in enumerate(_SCORES)}
    success_rate = sum(record.success for record in records) / n_routes
    return {"driving score": means["score_composed"], "success rate": success_rate, **means}


def _shifted(infraction: Infraction, sign: int) -> Infraction:
    """Return the infraction with the highest, or lowest, percentage that rounds to the recorded one."""
    if infraction.kind != OUTSIDE_LANES or infraction.percentage is None:
        return infraction
    return infraction._replace(percentage=max(infraction.percentage + sign * PERCENTAGE_ROUNDING, 0.0))


def _counted(record: RecordedRoute) -> str:
    counts = Counter(infraction.kind for infraction in record.infractions)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no infractions"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_structure(path: Path, content: Any) -> None:
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_SCHEMA).iter_errors(content))
    if error is None:
        return
    place = list(error.absolute_path)
    problem = short_text(error.message)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        place.append(missing[0])
        problem = "the field is missing"
    elif "propertyNames" in error.absolute_schema_path:
        problem = f"unknown kind of infraction {short_repr(error.instance)}; known: {', '.join(KINDS)}"
    if place in ([], ["_checkpoint"], ["_checkpoint", "records"]):
        problem = f"{problem}; expected a result file of the CARLA leaderboard or of Bench2Drive, with _checkpoint.records"
    where = str(path)
    if place[:2] == ["_checkpoint", "records"] and len(place) > 2:
        where, place = _where(path, int(place[2]), content["_checkpoint"]["records"][place[2]]), place[3:]
    field = short_text(".".join(str(part) for part in place))
    raise ValueError(": ".join(part for part in (where, field, problem) if part))


def _where(path: Path, index: int, record: Any) -> str:
    name = record.get("route_id") if isinstance(record, dict) else None
    return f"{path}: record {index}" + f" ({short_text(name)})" * bool(name)


def _record(path: Path, index: int, record: dict[str, Any]) -> RecordedRoute:
    infractions = []
    for kind, messages in record["infractions"].items():
        for message in messages:
            percentage = None
            if kind in (OUTSIDE_LANES, MIN_SPEED):
                found = _PERCENTAGE.search(message)
                if found is None:
                    where = f"{_where(path, index, record)}: infractions.{kind}"
                    raise ValueError(f"{where}: {short_repr(message)} does not say '…% of …'")
                percentage = float(found[1])
            infractions.append(Infraction(kind, percentage))
    scores = Score(*(float(record["scores"][name]) for name in _SCORES))
    return RecordedRoute(record["route_id"], record["status"], infractions, scores)
