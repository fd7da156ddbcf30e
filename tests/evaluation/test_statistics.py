"""Statistics against values worked out by hand."""

import numpy as np
import pytest

from sb3_delta_waypoint.evaluation.statistics import bootstrap_ci95, interquartile_mean, means, summarise_all


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


def test_undefined_values_leave_the_other_columns_alone():
    values = np.random.default_rng(0).normal(size=(30, 2))
    spoilt = values.copy()
    spoilt[3, 1] = np.nan
    intervals = bootstrap_ci95(spoilt, n_resamples=200)
    np.testing.assert_array_equal(intervals[0], bootstrap_ci95(values, n_resamples=200)[0])
    assert np.isnan(intervals[1]).all()


def test_no_samples():
    with pytest.raises(ValueError, match="at least one sample"):
        bootstrap_ci95(np.array([]))


def test_summaries_of_all_metrics():
    metrics = {"ade": np.array([1.0, 2.0, 3.0, 10.0]), "success_rate": np.array([1.0, 1.0, 0.0, 1.0])}
    summary = summarise_all(metrics)["ade"]
    assert (summary["mean"], summary["median"], summary["iqm"]) == (4.0, 2.5, 2.5)
    assert summary["ci95"] == bootstrap_ci95(metrics["ade"]).tolist()
    assert means(metrics) == {"ade": 4.0, "success_rate": 0.75}
