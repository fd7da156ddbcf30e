"""Recorded result files of the benchmarks: read, and their scores recomputed."""

import json
from collections import Counter

import pytest

from sb3_delta_waypoint.evaluation.leaderboard.driving_score import BENCH2DRIVE, KINDS, LEADERBOARD_2_0, LEADERBOARD_2_1
from sb3_delta_waypoint.evaluation.leaderboard.result_file import average, check_averages, check_record, read_results


def record(route_id="RouteScenario_1_rep0", status="Completed", route=100.0, penalty=1.0, composed=None, **infractions):
    composed = route * penalty if composed is None else composed
    return {
        "route_id": route_id,
        "status": status,
        "infractions": {kind: infractions.get(kind, []) for kind in KINDS},
        "scores": {"score_route": route, "score_penalty": penalty, "score_composed": composed},
    }


def write(path, *records, **content):
    path.write_text(json.dumps({"_checkpoint": {"records": list(records)}, **content}))
    return path


def checked(tmp_path, *records, rules=BENCH2DRIVE):
    return [check_record(found, rules) for found in read_results(write(tmp_path / "results.json", *records)).records]


def test_a_tampered_record_disagrees(tmp_path):
    red = ["Agent ran a red light 3 at (x=0.0, y=0.0, z=0.0)"]
    checks = checked(
        tmp_path,
        record(penalty=0.7, red_light=red),
        record(penalty=0.7),
        record(red_light=red),
        record(penalty=0.7, red_light=red, composed=70.1),
        record(status="Failed - Agent timed out", route=12.34, penalty=0.7, red_light=red, route_timeout=["Route timeout."]),
    )
    assert [check.verdict for check in checks] == ["agrees", "disagrees", "disagrees", "disagrees", "agrees"]
    assert "penalty is 1, its infractions give 0.7 (1 red_light)" in checks[2].reason
    assert "composed score is 70.1" in checks[3].reason


def test_the_share_outside_the_lanes_is_known_as_far_as_its_message_says(tmp_path):
    outside = ["Agent went outside its route lanes for about 4.251 meters (4.28% of the completed route)"]
    penalties = (0.957225, 0.957250, 0.957150, 0.957252, 0.957148)
    checks = checked(tmp_path, *(record(penalty=penalty, outside_route_lanes=outside) for penalty in penalties))
    assert [check.verdict for check in checks] == ["agrees"] * 3 + ["disagrees"] * 2


def test_slow_driving_costs_by_the_rules_of_the_leaderboards(tmp_path):
    slow = ["Average speed is 40.0% of the surrounding traffic's one"]
    for rules, penalty in ((LEADERBOARD_2_0, 0.82), (LEADERBOARD_2_1, 0.806452)):
        (check,) = checked(tmp_path, record(penalty=penalty, min_speed_infractions=slow), rules=rules)
        assert check.verdict == "agrees" and check.score.penalty == pytest.approx(penalty, abs=1e-6)


def test_unscored_is_known_by_what_the_record_holds(tmp_path):
    zero = {"route": 0, "penalty": 0, "composed": 0}
    outside = ["Agent went outside its route lanes for about 3.0 meters (100.0% of the completed route)"]
    checks = checked(
        tmp_path,
        record("a", "Failed - TickRuntime", **zero, collisions_vehicle=["Agent collided"]),
        record("b", "Started", **zero),
        record("c", "Completed", **zero),
        record("d", "Failed", **zero, outside_route_lanes=outside),
        record("e", "Failed", route=0, penalty=1.0),
        record("f", "Failed", route=0, penalty=0.5, composed=0),
    )
    verdicts = {check.record.route_id: check.verdict for check in checks}
    assert verdicts == dict(zip("abcdef", ["unscored", "unscored", "disagrees", "agrees", "agrees", "disagrees"], strict=True))
    assert "all scores zero" in checks[0].reason and "give 0.6 (1 collisions_vehicle)" in checks[0].reason


def test_averages(tmp_path):
    slow = ["Average speed is 40.0% of the surrounding traffic's one"]
    records = [record("a", min_speed_infractions=slow), record("b", "Failed", route=40.0), record("c", penalty=0.5)]
    found = read_results(write(tmp_path / "results.json", *records))
    averages = average(found.records, found.n_routes)
    assert averages["driving score"] == pytest.approx((100 + 40 + 50) / 3)
    assert averages["success rate"] == pytest.approx(2 / 3)
    assert averages["score_route"] == pytest.approx(80) and averages["score_penalty"] == pytest.approx(2.5 / 3)


def test_recorded_averages(tmp_path):
    path = tmp_path / "results.json"
    # merged by Bench2Drive: over its 220 routes, driven or not
    merged = {"driving score": 100 / 220, "success rate": 1 / 220}
    assert check_averages(read_results(write(path, record(), **merged))) == []
    (sentence,) = check_averages(read_results(write(path, record(), **(merged | {"success rate": 0.5}))))
    assert "success rate is 0.5, the records give 0.00454545 over 220 routes" in sentence
    # the leaderboard's own
    means = {"score_route": 25.0, "score_penalty": 0.25, "score_composed": 25.0}
    checkpoint = {"records": [record()], "progress": [1, 4], "global_record": {"scores_mean": means}}
    path.write_text(json.dumps({"_checkpoint": checkpoint}))
    assert check_averages(read_results(path)) == []
    means["score_penalty"] = 0.26
    path.write_text(json.dumps({"_checkpoint": checkpoint}))
    assert len(check_averages(read_results(path))) == 1


def without(content, *keys):
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "_checkpoint.records"),
        ({"n_scenarios": 3}, "_checkpoint: the field is missing; expected a result file"),
        ({"_checkpoint": {"records": []}}, "_checkpoint.records: .* expected a result file"),
        (
            {"_checkpoint": {"records": [record(), without(record("b"), "scores")]}},
            r"record 1 \(b\): scores: the field",
        ),
        (
            {"_checkpoint": {"records": [without(record(), "scores", "score_penalty")]}},
            r"record 0 \(RouteScenario_1_rep0\): scores.score_penalty: the field is missing",
        ),
        ({"_checkpoint": {"records": [without(record(), "infractions", "red_light")]}}, "infractions.red_light: the field is"),
        ({"_checkpoint": {"records": [without(record(), "route_id")]}}, "record 0: route_id: the field is missing"),
        ({"_checkpoint": {"records": [record(route="100", composed=1)]}}, "scores.score_route: '100' is not of type 'number'"),
        ({"_checkpoint": {"records": [record(route=110)]}}, "scores.score_route: 110 is greater than"),
        ({"_checkpoint": {"records": [record(penalty=float("nan"))]}}, "NaN is no number"),
        (
            {"_checkpoint": {"records": [record(penalty=10**400, composed=1)]}},
            "scores.score_penalty: 1000.* … .*000 is greater than",
        ),
        (
            {"_checkpoint": {"records": [record()], "progress": [1, 10**400]}},
            "_checkpoint.progress.1: 1000.* … .* is greater than",
        ),
        ({"_checkpoint": {"records": [record()]}, "driving score": 10**400}, "driving score: 1000.* … .* is greater than"),
        ({"_checkpoint": {"records": [record("\x1b[2J")]}}, r"record 0 \(\\x1b\[2J\): route_id: .*does not match"),
        (
            {"_checkpoint": {"records": [record(outside_route_lanes=["9" * 200_000])]}},
            r"infractions.outside_route_lanes: '9{30,90}\.\.\.9{30,90}' does not say",
        ),
        (
            {"_checkpoint": {"records": [record() | {"infractions": record()["infractions"] | {"speeding": []}}]}},
            "infractions: unknown kind of infraction 'speeding'",
        ),
        (
            {"_checkpoint": {"records": [record(outside_route_lanes=["somewhere"])]}},
            r"record 0 \(RouteScenario_1_rep0\): infractions.outside_route_lanes: 'somewhere' does not say",
        ),
    ],
)
def test_bad_files(content, message, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        read_results(path)
    assert str(path) in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no result file .*nowhere.json"):
        read_results(tmp_path / "nowhere.json")
    (tmp_path / "half.json").write_text('{"_checkpoint": {"rec')
    with pytest.raises(ValueError, match="half.json: .* is not valid JSON"):
        read_results(tmp_path / "half.json")


def test_recorded_bench2drive_results(shared_data):
    results = read_results(shared_data("bench2drive_pdm_lite.json"))
    checks = [check_record(found) for found in results.records]
    assert Counter(check.verdict for check in checks) == {"agrees": 219, "unscored": 1}
    for check in checks:
        if check.verdict == "agrees":
            assert check.score.composed == pytest.approx(check.record.score.composed, abs=5.1e-3)
    assert set(results.recorded) == {"driving score", "success rate"} and check_averages(results) == []
