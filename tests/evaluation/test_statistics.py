"""Statistics against values worked out by hand."""

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.statistics import (
    bootstrap_ci95,
    hierarchical_ci95,
    interquartile_mean,
    means,
    paired_difference,
    summarise_all,
    summarise_seeds,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], 5.0),
        ([1.0, 9.0, 2.0], 4.0),  # nothing to cut off
        ([0.0, 1.0, 2.0, 300.0], 1.5),  # one at each end
        ([7, 6, 5, 4, 3, 2, 1, 1000], 4.5),  # two at each end: 3, 4, 5, 6 remain
        ([9, 1, 2, 3, 4, 5, 6, 7, 8, 0], 4.5),  # two at each end of ten: scipy.stats.trim_mean(…, 0.25)
    ],
)
def test_interquartile_mean_by_hand(values, expected):
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)


def test_bootstrap_interval_of_two_values_by_hand():
    # resamples of {0, 1} have the means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4
    np.testing.assert_array_equal(bootstrap_ci95(np.array([0.0, 1.0])), [0.0, 1.0])


def test_bootstrap_interval_of_a_rate_is_the_binomial_quantile():
    # resampled successes among n = 10 with p = 0.5 are Binomial(10, 0.5): P(X <= 1) = 0.011, P(X <= 2) = 0.055
    np.testing.assert_allclose(bootstrap_ci95(np.array([0.0] * 5 + [1.0] * 5)), [0.2, 0.8])


def test_bootstrap_interval_of_many_normal_values_is_the_textbook_one():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=2000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    np.testing.assert_allclose(bootstrap_ci95(values), [values.mean() - half, values.mean() + half], atol=0.03 * half)


def test_interval_covers_the_true_mean_about_95_times_in_100():
    # skewed values; 400 intervals at once, one per column (shared resamples leave each column's coverage as it is)
    values = np.random.default_rng(0).exponential(1.0, size=(100, 400))
    low, high = bootstrap_ci95(values, n_resamples=1000).T
    assert 0.90 <= ((low < 1.0) & (high > 1.0)).mean() <= 0.98


def test_chunks_do_not_change_what_is_resampled(monkeypatch):
    values = np.random.default_rng(0).normal(size=(50, 3))
    whole = bootstrap_ci95(values, n_resamples=500)
    monkeypatch.setattr("sb3_delta_waypoint.evaluation.statistics._CHUNK", 120)
    np.testing.assert_allclose(bootstrap_ci95(values, n_resamples=500), whole)


def test_columns_are_resampled_together_and_repeatably():
    values = np.random.default_rng(0).normal(size=(30, 4))
    intervals = bootstrap_ci95(values, n_resamples=500)
    assert intervals.shape == (4, 2)
    np.testing.assert_allclose(intervals[2], bootstrap_ci95(values[:, 2], n_resamples=500))
    np.testing.assert_array_equal(intervals, bootstrap_ci95(values, n_resamples=500))
    # a pair that differs by a constant has an interval of that constant alone, however much the scenarios vary
    paired = np.stack([values[:, 0], values[:, 0] + 0.5], axis=1)
    np.testing.assert_allclose(bootstrap_ci95(paired[:, 1] - paired[:, 0]), [0.5, 0.5])


def test_undefined_values_are_left_out():
    values = np.random.default_rng(0).normal(size=(30, 3))
    spoilt = values.copy()
    spoilt[3, 1] = np.nan
    spoilt[:, 2] = np.nan
    intervals = bootstrap_ci95(spoilt, n_resamples=4000)
    np.testing.assert_array_equal(intervals[0], bootstrap_ci95(values, n_resamples=4000)[0])
    without = np.delete(values[:, 1], 3)
    np.testing.assert_allclose(intervals[1], bootstrap_ci95(without, n_resamples=4000), atol=0.04)
    assert np.isnan(intervals[2]).all()
    summaries = summarise_all({"ade": spoilt[:, 0], "fde": spoilt[:, 1], "time_ratio": spoilt[:, 2]})
    assert summaries["fde"]["mean"] == pytest.approx(without.mean()) and summaries["fde"]["n"] == 29
    assert summaries["fde"]["median"] == pytest.approx(np.median(without))
    assert summaries["time_ratio"]["n"] == 0 and np.isnan(summaries["time_ratio"]["mean"])
    assert "n" not in summaries["ade"]
    assert means({"fde": spoilt[:, 1]})["fde"] == summaries["fde"]["mean"]


def test_no_samples():
    with pytest.raises(ValueError, match="at least one sample"):
        bootstrap_ci95(np.array([]))


def test_summaries_of_all_metrics():
    metrics = {"ade": np.array([1.0, 2.0, 3.0, 10.0]), "success_rate": np.array([1.0, 1.0, 0.0, 1.0])}
    summary = summarise_all(metrics)["ade"]
    assert (summary["mean"], summary["median"], summary["iqm"]) == (4.0, 2.5, 2.5)
    assert summary["ci95"] == bootstrap_ci95(metrics["ade"]).tolist()
    assert means(metrics) == {"ade": 4.0, "success_rate": 0.75}


def brute_force(values, shared, n_resamples, clusters=None):
    """The hierarchical bootstrap, resample by resample."""
    generator = np.random.default_rng(1)
    n_seeds, n = values.shape
    clusters = np.arange(n) if clusters is None else clusters
    members = [np.flatnonzero(clusters == label) for label in np.unique(clusters)]
    found = []
    for _ in range(n_resamples):
        drawn = []
        for row in generator.integers(0, n_seeds, n_seeds):
            if not (shared and drawn):
                columns = np.concatenate([members[c] for c in generator.integers(0, len(members), len(members))])
            drawn.append(np.nanmean(values[row, columns]))
        found.append(np.mean(drawn))
    return np.quantile(found, [0.025, 0.975])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("clustered", [True, False])
def test_the_hierarchical_interval_is_that_of_brute_force(shared, clustered):
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(8), 5) if clustered else None
    values = generator.normal(size=(4, 1)) + generator.normal(size=(1, 40)) + generator.normal(size=(4, 40))
    values += 2.0 * np.repeat(generator.normal(size=8), 5)
    values[1, 5:9] = np.nan
    interval = hierarchical_ci95(values, clusters, shared)
    np.testing.assert_allclose(interval, brute_force(values, shared, 3000, clusters), atol=0.12)
    np.testing.assert_array_equal(interval, hierarchical_ci95(values, clusters, shared))


def width(interval):
    return interval[1] - interval[0]


def test_variance_between_seeds_only():
    of_seeds = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    many = np.repeat(of_seeds[:, None], 500, axis=1)
    for shared in (True, False):
        # however many scenarios there are, the interval is that of five numbers
        np.testing.assert_allclose(hierarchical_ci95(many, shared=shared), bootstrap_ci95(of_seeds), atol=0.21)


def test_variance_between_scenarios_only():
    of_scenarios = np.random.default_rng(0).normal(size=400)
    values = np.repeat(of_scenarios[None], 9, axis=0)
    # the same scenarios for all seeds: nine seeds know no more than one
    np.testing.assert_allclose(hierarchical_ci95(values), bootstrap_ci95(of_scenarios), atol=0.01)
    # other scenarios for each: nine times as many; their noise counts among the seeds, too, by sqrt(1 + 8/9) = 1.37 at most
    own = np.random.default_rng(1).normal(size=(9, 400))
    ratio = width(hierarchical_ci95(own, shared=False)) / width(bootstrap_ci95(own.ravel()))
    assert 1.0 < ratio < 1.45


def test_scenes_that_cluster_widen_the_interval():
    of_places = np.random.default_rng(0).normal(size=20)
    values, places = np.repeat(of_places, 50)[None], np.repeat(np.arange(20), 50)
    assert width(hierarchical_ci95(values, places)) == pytest.approx(width(bootstrap_ci95(of_places)), rel=0.05)
    assert width(hierarchical_ci95(values, places)) > 5 * width(hierarchical_ci95(values))


def test_paired_differences_cancel_what_both_sides_share():
    generator = np.random.default_rng(0)
    hard = 10.0 * generator.normal(size=(3, 1)) + 10.0 * generator.normal(size=(1, 50))
    better = hard + 0.5
    better[2, 7] = np.nan
    summary = paired_difference(better, hard)
    assert summary["mean"] == pytest.approx(0.5) and summary["median"] == pytest.approx(0.5)
    np.testing.assert_allclose(summary["ci95"], [0.5, 0.5])
    assert summary["n"] == 149 and len(summary["by_seed"]) == 3
    # the same values unpaired tell nothing
    assert width(summarise_seeds(better)["ci95"]) > 5.0


def test_seeds_are_weighted_alike_and_undefined_ones_left_out():
    values = np.array([[1.0, 1.0, np.nan, np.nan], [3.0, 3.0, 3.0, 3.0], [np.nan] * 4])
    summary = summarise_seeds(values)
    assert (summary["mean"], summary["median"], summary["n"]) == (2.0, 2.0, 6)
    assert summary["ci95"][0] == 1.0 and summary["ci95"][1] == 3.0
    assert np.isnan(summarise_seeds(np.full((2, 3), np.nan))["ci95"]).all()


def test_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(n_seeds, n_scenarios, ...\), at least one of each, got the shape \(3,\)"):
        hierarchical_ci95(np.zeros(3))
    with pytest.raises(ValueError, match=r"one cluster label for each of 4 scenarios, got \(3,\)"):
        hierarchical_ci95(np.zeros((2, 4)), np.zeros(3))
    with pytest.raises(ValueError, match=r"pairs need values of one shape, got \(2, 4\) and \(2, 3\)"):
        paired_difference(np.zeros((2, 4)), np.zeros((2, 3)))
