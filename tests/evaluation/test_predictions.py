"""Prediction files: reading, what is refused and how it is named, errors by episode, pairing."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.predictions import pair, read_predictions

H = 3


def sample(episode_id, t, offset=0.0, **fields):
    expert = [[float(step + 1), 0.0] for step in range(H)]
    return {"episode_id": episode_id, "t": t, "predicted": [[x, y + offset] for x, y in expert], "expert": expert, **fields}


@pytest.fixture
def write(tmp_path):
    def write_file(samples, name="predictions.json", **header):
        path = tmp_path / name
        path.write_text(json.dumps({"horizon_steps": H, "dt": 0.1, "samples": samples} | header))
        return path

    return write_file


def test_errors_are_means_over_the_frames_of_each_episode(write):
    predictions = read_predictions(write([sample("a", 0.0, 1.0), sample("b", 0.0, 5.0), sample("a", 0.1, 2.0)]))
    metrics = predictions.metrics()
    np.testing.assert_allclose(metrics["open_loop_ade"], [1.5, 5.0])
    np.testing.assert_allclose(metrics["open_loop_fde"], [1.5, 5.0])
    np.testing.assert_allclose(metrics["open_loop_displacement_2"], [1.5, 5.0])
    assert set(metrics) == {"open_loop_ade", "open_loop_fde", *(f"open_loop_displacement_{step}" for step in (1, 2, 3))}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"predicted": [[0, 0]]}, r"sample 1: field 'predicted' has the shape \(1, 2\), expected \(3, 2\)"),
        ({"expert": [[0, 0], [1], [2, 2]]}, "sample 1: field 'expert' is not a list of"),
        ({"expert": [["0", "0"]] * H}, "sample 1: field 'expert' is not a list of"),
        ({"predicted": [[0, float("nan")]] * H}, "sample 1: field 'predicted' holds NaN"),
        ({"predicted": None}, "sample 1: field 'predicted' is None, expected a list"),
        ({"t": "late"}, "sample 1: field 't' is 'late', expected a finite number"),
        ({"t": float("inf")}, "sample 1: field 't' is inf, expected a finite number"),
        ({"t": True}, "sample 1: field 't' is True, expected a finite number"),
        ({"episode_id": 7}, "sample 1: field 'episode_id' is 7, expected a string"),
        ({"t": 10**400}, "sample 1: field 't' is <an integer of 1329 bits>, expected a finite number"),
        ({"predicted": [[0, 10**400]] * H}, "sample 1: field 'predicted' is not a list of"),
        ({"predicted": [[0, 1e300]] * H}, "sample 1: field 'predicted' holds NaN, infinity or numbers beyond"),
        ({"predicted": "x" * 10**5}, "sample 1: field 'predicted' is 'x{30,90}\\.\\.\\.x{30,90}', expected a list"),
        ({"episode_id": "a", "t": 0.0}, "sample 1: episode_id 'a' at t = 0 s is already sample 0"),
    ],
)
def test_a_broken_sample_is_named(write, broken, message):
    path = write([sample("a", 0.0), {**sample("b", 0.0), **broken}])
    with pytest.raises(ValueError, match=message) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("missing", ["episode_id", "t", "predicted", "expert"])
def test_a_missing_field_is_named(write, missing):
    incomplete = sample("b", 0.0)
    del incomplete[missing]
    with pytest.raises(ValueError, match=f"sample 1: field '{missing}' is missing"):
        read_predictions(write([sample("a", 0.0), incomplete]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"horizon_steps": "3"}, "field 'horizon_steps' is '3', expected a whole number"),
        ({"horizon_steps": 4}, r"expected \(4, 2\)"),
        ({"horizon_steps": 10**12}, r"expected \(1000000000000, 2\)"),
        ({"horizon_steps": -(10**400)}, r"horizon_steps is <an integer of 1329 bits>"),
        ({"dt": 0}, "dt is 0.0"),
        ({"dt": 10**400}, "field 'dt' is <an integer of 1329 bits>, expected a finite number"),
        ({"samples": []}, "there are 0 samples"),
        ({"samples": {}}, "field 'samples' is {}, expected a list"),
    ],
)
def test_a_broken_header_is_named(write, fields, message):
    samples = fields.pop("samples", [sample("a", 0.0)])
    with pytest.raises(ValueError, match=message):
        read_predictions(write(samples, **fields))


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.json"):
        read_predictions(tmp_path / "nowhere.json")
    truncated = tmp_path / "truncated.json"
    truncated.write_text('{"horizon_steps": 3, "samp')
    with pytest.raises(ValueError, match="truncated.json: .* is not valid JSON"):
        read_predictions(truncated)
    truncated.write_text("[]")
    with pytest.raises(ValueError, match="truncated.json: field 'horizon_steps' is missing"):
        read_predictions(truncated)


def test_pairs_are_found_in_any_order(write):
    first = read_predictions(write([sample("a", 0.0, 1.0), sample("a", 0.3, 2.0), sample("b", 0.0, 3.0)], "first.json"))
    # times that differ in the last bits only are the same frame
    second = read_predictions(write([sample("b", 0.0, 6.0), sample("a", 0.1 * 3, 5.0), sample("a", 0.0, 4.0)], "second.json"))
    first, second = pair(first, second)
    assert first.keys == second.keys
    np.testing.assert_allclose(second.predicted[:, 0, 1], [4.0, 5.0, 6.0])
    np.testing.assert_allclose(second.metrics()["open_loop_ade"], [4.5, 6.0])


def test_unpaired_samples_are_named(write):
    first = read_predictions(write([sample("a", 0.0), sample("a", 0.1)], "first.json"))
    second = read_predictions(write([sample("a", 0.0)], "second.json"))
    with pytest.raises(ValueError, match=r"first.json has samples that .*second.json lacks: \('a', t = 0.1 s\)"):
        pair(first, second)
    with pytest.raises(ValueError, match=r"first.json has samples that .*second.json lacks: \('a', t = 0.1 s\)"):
        pair(second, first)


def test_files_that_cannot_be_compared(write):
    first = read_predictions(write([sample("a", 0.0)], "first.json"))
    other_expert = read_predictions(write([sample("a", 0.0, expert=[[1, 0], [2, 0], [3.5, 0]])], "expert.json"))
    with pytest.raises(ValueError, match=r"disagree on the expert's plan by 0.5 m at \('a', t = 0 s\)"):
        pair(first, other_expert)
    with pytest.raises(ValueError, match="plans of 3 steps of 0.1 s and of 3 steps of 0.5 s"):
        pair(first, read_predictions(write([sample("a", 0.0)], "slow.json", dt=0.5)))
