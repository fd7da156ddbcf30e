"""``sb3-delta-waypoint score``."""

import json

from click.testing import CliRunner

from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.evaluation.leaderboard.driving_score import KINDS


def score(*arguments):
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def write(path, penalties):
    slow = {"min_speed_infractions": ["Average speed is 40.0% of the surrounding traffic's one"]}
    records = [
        {
            "route_id": f"route_{index}",
            "status": "Completed",
            "infractions": {kind: [] for kind in KINDS} | slow,
            "scores": {"score_route": 100, "score_penalty": penalty, "score_composed": 100 * penalty},
        }
        for index, penalty in enumerate(penalties)
    ]
    path.write_text(json.dumps({"_checkpoint": {"records": records}}))
    return path


def test_agreeing_records(tmp_path):
    result = score(write(tmp_path / "results.json", [1.0] * 3))
    assert result.exit_code == 0, result.output
    assert "3 of 3 records agree" in result.output and "1.0000" in result.output


def test_disagreeing_records_are_named(tmp_path):
    result = score(write(tmp_path / "results.json", [1.0, 0.9, 1.0]))
    assert result.exit_code == 1
    assert "2 of 3 records agree" in result.output and "1 records and 0 averages disagree" in result.output
    assert "route_1: disagrees: penalty is 0.9, its infractions give 1" in result.output


def test_the_rules_can_be_chosen_and_the_right_ones_are_hinted_at(tmp_path):
    path = write(tmp_path / "results.json", [0.82] * 30)
    assert score(path, "--rules", "leaderboard-2.0").exit_code == 0
    result = score(path)
    assert result.exit_code == 1
    assert "all records follow --rules leaderboard-2.0" in result.output and "… and 10 more" in result.output


def test_a_wrong_average_disagrees(tmp_path):
    path = write(tmp_path / "results.json", [1.0])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"driving score": 99.0}))
    result = score(path)
    assert result.exit_code == 1
    assert "1 records for 220 routes" in result.output and "driving score is 99" in result.output


def test_bad_input_is_one_line(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    result = score(tmp_path / "other.json")
    assert (
        result.exit_code == 1 and result.output.startswith("Error: ") and "_checkpoint: the field is missing" in result.output
    )
    assert score(tmp_path / "nowhere.json").exit_code == 1


def test_recorded_bench2drive_results(shared_data):
    result = score(shared_data("bench2drive_pdm_lite.json"))
    assert result.exit_code == 0, result.output
    assert "219 of 220 records agree" in result.output and "unscored: 'Failed - TickRuntime', all scores zero" in result.output
    assert "97.016" in result.output and "0.9227" in result.output
