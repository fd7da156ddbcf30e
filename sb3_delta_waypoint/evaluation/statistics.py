"""
Statistics of per-episode values: mean, median, interquartile mean, and bootstrap intervals over scenarios and training seeds.

Values that are not defined in an episode are NaN and left out.
"""

import math
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import numpy as np

N_RESAMPLES = 10_000
_CHUNK = 1_000_000
"""Maximum number of resampled values in memory at the same time."""


class Summary(TypedDict):
    """The statistics of one metric over the episodes of one policy."""

    mean: float
    median: float
    iqm: float
    ci95: list[float]
    n: NotRequired[int]
    """Number of episodes in which the metric is defined; absent if it is defined in all."""


class SeedsSummary(TypedDict):
    """The statistics of one metric over training seeds and scenarios."""

    mean: float
    """Mean over the seeds of each seed's mean."""
    median: float
    """Median over the seeds of each seed's mean."""
    ci95: list[float]
    """Interval of the mean, over seeds and scenarios."""
    by_seed: list[float]
    """Mean of each seed."""
    n: int
    """Number of values that are defined."""


def interquartile_mean(values: np.ndarray) -> float:
    """
    Return the mean of the middle half of the values: a quarter of them, rounded down, is omitted at each end. It is less
    sensitive to outliers than the mean and uses more of the data than the median (Agarwal et al., "Deep Reinforcement Learning
    at the Edge of the Statistical Precipice", 2021).

    :param values: (n,)
    :return: the interquartile mean
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def bootstrap_ci95(samples: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> np.ndarray:
    """
    Return the 95% percentile bootstrap interval of the mean (Efron & Tibshirani, 1993, chapter 13). Columns are resampled
    together, so the interval of a column of paired differences is that of the paired difference of means.

    :param samples: (n, ...), any number of quantities of n episodes; NaN is left out
    :param n_resamples: number of resamples
    :param seed: seed of the resampling; the same samples give the same interval
    :return: lower and upper bound, (..., 2)
    :raises ValueError: if there are no samples
    """
    samples = np.asarray(samples, dtype=np.float64)
    if len(samples) == 0:
        raise ValueError("a bootstrap interval needs at least one sample, got none")
    columns = samples.reshape(1, len(samples), -1)
    return _resampled(columns, None, True, n_resamples, seed).reshape(*samples.shape[1:], 2)


def hierarchical_ci95(
    values: np.ndarray,
    clusters: np.ndarray | None = None,
    shared: bool = True,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """
    Return the 95% percentile interval of a mean over training seeds and scenarios by the hierarchical bootstrap (Davison and
    Hinkley, Bootstrap Methods and their Application, 1997, section 3.8): seeds are resampled first, then scenarios, or whole
    clusters of them. The mean is that of the seeds' means. The interval errs on the wide side: the noise of a seed's scenarios
    is also part of the spread of the seeds.

    If all seeds drive the same scenarios, a hard scenario is hard for all of them. Its draws are then shared; drawing anew
    for each seed would pretend that there are as many scenarios as seeds times scenarios.

    :param values: ``(n_seeds, n_scenarios, ...)``; NaN is left out
    :param clusters: ``(n_scenarios,)``, label of the cluster of each scenario, such as its file or place; None if each stands
        for itself
    :param shared: whether column ``i`` is the same scenario in every row; otherwise scenarios are drawn for each seed anew
    :param n_resamples: number of resamples
    :param seed: seed of the resampling; the same values give the same interval
    :return: lower and upper bound, ``(..., 2)``; NaN where no value is defined
    :raises ValueError: if there are no values, or not one label per scenario
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim < 2 or values.shape[0] * values.shape[1] == 0:
        raise ValueError(f"expected values (n_seeds, n_scenarios, ...), at least one of each, got the shape {values.shape}")
    if clusters is not None and np.shape(clusters) != values.shape[1:2]:
        raise ValueError(f"expected one cluster label for each of {values.shape[1]} scenarios, got {np.shape(clusters)}")
    columns = values.reshape(*values.shape[:2], -1)
    return _resampled(columns, clusters, shared, n_resamples, seed).reshape(*values.shape[2:], 2)


def _resampled(columns: np.ndarray, clusters: np.ndarray | None, shared: bool, n_resamples: int, seed: int) -> np.ndarray:
    """Return the interval of the mean of each column; ``columns`` (S, n, K), one row of ``n`` scenarios per seed."""
    n_seeds, _, n_columns = columns.shape
    defined = ~np.isnan(columns)
    sums, numbers = np.where(defined, columns, 0.0), defined.astype(np.float64)
    if clusters is not None:
        members = (np.unique(clusters)[:, None] == clusters).astype(np.float64)
        sums, numbers = (np.stack([members @ of_seed for of_seed in values]) for values in (sums, numbers))
    n = sums.shape[1]
    generator = np.random.default_rng(seed)
    means = np.empty((n_resamples, n_columns))
    rows = max(1, _CHUNK // n)
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start)
        if n_seeds == 1:
            means[start : start + size] = _means_of_draws(_draws(generator, size, n), sums[0], numbers[0])
            continue
        seeds = generator.integers(0, n_seeds, size=(size, n_seeds))
        counts = _draws(generator, size, n)
        of_seeds = np.empty((size, n_seeds, n_columns))
        for slot in range(n_seeds):
            if slot and not shared:
                counts = _draws(generator, size, n)
            for j in range(n_seeds):
                drawn = seeds[:, slot] == j
                of_seeds[drawn, slot] = _means_of_draws(counts[drawn], sums[j], numbers[j])
        means[start : start + size] = _nanmean(of_seeds, axis=1)
    # a resample may hold no defined value at all
    undefined = np.isnan(means).all(axis=0)
    means[:, undefined] = 0.0
    interval = np.nanquantile(means, [0.025, 0.975], axis=0).T
    interval[undefined] = np.nan
    return interval


def _draws(generator: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Return how often each of ``n`` is drawn in each resample, (size, n)."""
    drawn = generator.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _means_of_draws(counts: np.ndarray, sums: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the means of resamples, (R, K), from the counts of each cluster, (R, C), and its sums and numbers, (C, K)."""
    # counts of each sample by resample, so that one matrix product computes all columns
    with np.errstate(invalid="ignore"):
        return (counts @ sums) / (counts @ numbers)


def _nanmean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of what is not NaN; NaN, without a warning, where there is nothing."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(defined, values, 0.0).sum(axis=axis) / defined.sum(axis=axis)


def summarise(values: np.ndarray, ci95: np.ndarray) -> Summary:
    """
    Return the statistics of one metric.

    :param values: one value per episode, (n,); NaN is left out, and the number of the others reported
    :param ci95: the interval of the mean, (2,)
    :return: the statistics as Python floats; NaN if no value is defined
    """
    values = np.asarray(values, dtype=np.float64)
    defined = values[~np.isnan(values)]
    summary: Summary = {
        "mean": float(_nanmean(values)),
        "median": float(np.median(defined)) if len(defined) else math.nan,
        "iqm": interquartile_mean(defined) if len(defined) else math.nan,
        "ci95": [float(ci95[0]), float(ci95[1])],
    }
    return summary if len(defined) == len(values) else {**summary, "n": len(defined)}


def summarise_all(metrics: Mapping[str, np.ndarray]) -> dict[str, Summary]:
    """
    Return the statistics of every metric of one policy.

    :param metrics: one value per episode for each metric, (n,) each
    :return: the statistics under the same names
    """
    intervals = bootstrap_ci95(np.column_stack(list(metrics.values())))
    return {name: summarise(values, interval) for (name, values), interval in zip(metrics.items(), intervals, strict=True)}


def summarise_seeds(values: np.ndarray, clusters: np.ndarray | None = None, shared: bool = True) -> SeedsSummary:
    """
    Return the statistics of one metric over training seeds and scenarios.

    :param values: ``(n_seeds, n_scenarios)``; NaN is left out
    :param clusters: see :func:`hierarchical_ci95`
    :param shared: see :func:`hierarchical_ci95`
    :return: the statistics as Python floats
    """
    values = np.asarray(values, dtype=np.float64)
    interval = hierarchical_ci95(values, clusters, shared)
    by_seed = _nanmean(values, axis=1)
    defined = by_seed[~np.isnan(by_seed)]
    return {
        "mean": float(_nanmean(by_seed)),
        "median": float(np.median(defined)) if len(defined) else math.nan,
        "ci95": [float(bound) for bound in interval],
        "by_seed": by_seed.tolist(),
        "n": int((~np.isnan(values)).sum()),
    }


def paired_difference(
    policy: np.ndarray, planner: np.ndarray, clusters: np.ndarray | None = None, shared: bool = True
) -> SeedsSummary:
    """
    Return the statistics of the paired difference, policy minus planner, over training seeds and scenarios. Pairs with an
    undefined side are left out.

    :param policy: ``(n_seeds, n_scenarios)``, values of the policies of all seeds
    :param planner: the same of their planners on the same scenarios
    :param clusters: see :func:`hierarchical_ci95`
    :param shared: see :func:`hierarchical_ci95`
    :return: the statistics of the difference
    :raises ValueError: if the shapes differ
    """
    if np.shape(policy) != np.shape(planner):
        raise ValueError(f"pairs need values of one shape, got {np.shape(policy)} and {np.shape(planner)}")
    return summarise_seeds(np.subtract(policy, planner), clusters, shared)


def means(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """
    Return the mean of every metric.

    :param metrics: one value per episode for each metric, (n,) each; NaN is left out
    :return: the means under the same names
    """
    return {name: float(_nanmean(np.asarray(values, dtype=np.float64))) for name, values in metrics.items()}
