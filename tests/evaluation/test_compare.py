"""The comparison: what it holds, and that it claims no more than the data do."""

import json

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.compare import MIN_SCENARIOS, compare, most_different
from sb3_delta_waypoint.evaluation.statistics import bootstrap_ci95

N = 200


@pytest.fixture
def hard():
    """How hard each of 200 scenarios is: far more spread than any difference between the policies."""
    return np.random.default_rng(0).gamma(2.0, 2.0, size=N)


def noise(scale, seed=1):
    return np.random.default_rng(seed).normal(0.0, scale, size=N)


def test_structure_and_numbers(hard):
    sft = {"success": (hard < 5).astype(float), "ade": hard}
    rl = {"success": (hard < 8).astype(float), "ade": hard - 0.1}
    comparison = compare(sft, rl)
    assert json.loads(json.dumps(comparison)) == comparison
    assert comparison["n_scenarios"] == N
    assert list(comparison["metrics"]) == ["success_rate", "ade"]
    ade = comparison["metrics"]["ade"]
    assert set(ade) == {"sft", "rl", "difference", "verdict"}
    assert set(ade["sft"]) == {"mean", "median", "iqm", "ci95"}
    assert ade["sft"]["mean"] == pytest.approx(hard.mean())
    assert ade["sft"]["median"] == pytest.approx(np.median(hard))
    np.testing.assert_allclose(ade["rl"]["ci95"], bootstrap_ci95(hard - 0.1))
    assert ade["difference"]["mean"] == pytest.approx(-0.1)
    np.testing.assert_allclose(ade["difference"]["ci95"], [-0.1, -0.1])


def test_difference_is_paired(hard):
    """A tenth of a metre is lost in the spread of the scenarios unless each is compared with itself."""
    metric = compare({"ade": hard}, {"ade": hard - 0.1 + noise(0.05)})["metrics"]["ade"]
    assert metric["sft"]["ci95"][0] < metric["rl"]["mean"] < metric["sft"]["ci95"][1]
    assert metric["verdict"] == "better"


@pytest.mark.parametrize(
    ("name", "change", "verdict"),
    [
        ("ade", -1.0, "better"),
        ("ade", 1.0, "worse"),
        ("route_completion", 1.0, "better"),
        ("route_completion", -1.0, "worse"),
        ("speed_mean", 1.0, "different"),
        ("ade", 0.0, "cannot tell"),
    ],
)
def test_verdict_follows_the_direction_of_the_metric(hard, name, change, verdict):
    comparison = compare({name: hard}, {name: hard + change + noise(0.5)})
    assert comparison["metrics"][name]["verdict"] == verdict


def test_words_for_better_worse_and_undecided(hard):
    rl = {"success": np.ones(N), "ade": hard + 1.0, "fde": hard + noise(0.1)}
    words = compare({"success": (hard < 5).astype(float), "ade": hard, "fde": hard}, rl)["verdict"]
    assert words.startswith("On 200 paired scenarios the refined policy is better in success rate (")
    assert "and worse in ADE (" in words
    assert words.endswith("cannot be told apart from the planner in FDE.")


def test_words_when_nothing_can_be_told(hard):
    comparison = compare({"success": hard > 4, "ade": hard}, {"success": hard > 4, "ade": hard + noise(0.5)})
    assert "cannot tell the two apart" in comparison["verdict"] and "success rate and ADE" in comparison["verdict"]
    assert {metric["verdict"] for metric in comparison["metrics"].values()} == {"cannot tell"}


def test_few_scenarios_give_no_verdict():
    """One pair has an interval of zero width, which excludes zero and means nothing."""
    for n in (1, MIN_SCENARIOS - 1):
        comparison = compare({"ade": np.full(n, 2.0)}, {"ade": np.full(n, 1.0)})
        assert comparison["metrics"]["ade"]["verdict"] == "cannot tell"
        assert f"at least {MIN_SCENARIOS}" in comparison["verdict"]
    enough = compare({"ade": np.full(MIN_SCENARIOS, 2.0)}, {"ade": np.full(MIN_SCENARIOS, 1.0)})
    assert enough["metrics"]["ade"]["verdict"] == "better"


def test_false_alarms_are_as_rare_as_promised():
    """Of policies that do not differ, about one in twenty comparisons finds a difference."""
    generator = np.random.default_rng(0)
    sft = {f"displacement_{step}": generator.exponential(size=100) for step in range(400)}
    rl = {name: values + generator.normal(size=100) for name, values in sft.items()}
    found = [metric["verdict"] != "cannot tell" for metric in compare(sft, rl)["metrics"].values()]
    assert 0.02 <= np.mean(found) <= 0.09


def test_a_metric_undefined_somewhere_is_compared_where_it_is_defined(hard):
    spoilt, sparse = hard.copy(), np.full_like(hard, np.nan)
    spoilt[7] = np.nan
    sparse[:5] = hard[:5]
    comparison = compare({"ade": hard, "fde": hard}, {"ade": spoilt - 1.0, "fde": sparse - 1.0})
    ade = comparison["metrics"]["ade"]
    assert ade["verdict"] == "better" and ade["difference"]["mean"] == pytest.approx(-1.0)
    assert ade["rl"]["n"] == len(hard) - 1 and "n" not in ade["sft"]
    # five pairs are too few
    assert comparison["metrics"]["fde"]["verdict"] == "cannot tell"


def test_sides_that_do_not_fit():
    with pytest.raises(ValueError, match="no metric in common: ade against fde"):
        compare({"ade": np.zeros(3)}, {"fde": np.zeros(3)})
    with pytest.raises(ValueError, match=r"got lengths \[3, 4\]"):
        compare({"ade": np.zeros(3)}, {"ade": np.zeros(4)})


def test_most_different_shows_gains_and_losses():
    completion = np.array([1.0, 0.2, 0.5, 1.0, 1.0, 0.9])
    refined = np.array([1.0, 1.0, 1.0, 1.0, 0.3, 0.8])
    deviation = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    smaller = np.array([0.5, 0.5, 0.5, 0.1, 0.5, 0.5])
    sft = {"route_completion": completion, "lateral_deviation_mean": deviation}
    rl = {"route_completion": refined, "lateral_deviation_mean": smaller}
    assert most_different(sft, rl, 4) == [1, 2, 4, 5]
    # where both reach the goal the lateral deviation decides
    assert most_different(sft, rl, 10) == [1, 2, 3, 4, 5]


def test_without_losses_the_smallest_gains_are_shown():
    sft = {"route_completion": np.array([1.0, 0.2, 0.5, 1.0]), "lateral_deviation_mean": np.full(4, 0.5)}
    rl = {"route_completion": np.ones(4), "lateral_deviation_mean": np.array([0.4, 0.5, 0.5, 0.3])}
    assert most_different(sft, rl, 4) == [1, 2, 0, 3]
    assert most_different(rl, sft, 4) == [0, 3, 1, 2]
