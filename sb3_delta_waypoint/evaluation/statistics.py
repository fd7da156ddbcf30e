"""Statistics of per-episode values: mean, median, interquartile mean, and bootstrap intervals."""

from collections.abc import Mapping
from typing import TypedDict

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

    :param samples: (n, ...), any number of quantities of n episodes
    :param n_resamples: number of resamples
    :param seed: seed of the resampling; the same samples give the same interval
    :return: lower and upper bound, (..., 2)
    :raises ValueError: if there are no samples
    """
    samples = np.asarray(samples, dtype=np.float64)
    if len(samples) == 0:
        raise ValueError("a bootstrap interval needs at least one sample, got none")
    columns = samples.reshape(len(samples), -1)
    n = len(columns)
    generator = np.random.default_rng(seed)
    means = np.empty((n_resamples, columns.shape[1]))
    rows = max(1, _CHUNK // n)
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start)
        # counts of each sample by resample, so that one matrix product computes all columns
        drawn = generator.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[start : start + size] = counts.astype(np.float64) @ columns / n
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return np.stack([low, high], axis=-1).reshape(*samples.shape[1:], 2)


def summarise(values: np.ndarray, ci95: np.ndarray) -> Summary:
    """
    Return the statistics of one metric.

    :param values: one value per episode, (n,)
    :param ci95: the interval of the mean, (2,)
    :return: the statistics as Python floats
    """
    return {
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "iqm": interquartile_mean(values),
        "ci95": [float(ci95[0]), float(ci95[1])],
    }


def summarise_all(metrics: Mapping[str, np.ndarray]) -> dict[str, Summary]:
    """
    Return the statistics of every metric of one policy.

    :param metrics: one value per episode for each metric, (n,) each
    :return: the statistics under the same names
    """
    intervals = bootstrap_ci95(np.column_stack(list(metrics.values())))
    return {name: summarise(values, interval) for (name, values), interval in zip(metrics.items(), intervals, strict=True)}


def means(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """
    Return the mean of every metric.

    :param metrics: one value per episode for each metric, (n,) each
    :return: the means under the same names
    """
    return {name: float(np.mean(values)) for name, values in metrics.items()}
