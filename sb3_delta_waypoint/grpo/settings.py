"""Checks of GRPO's settings."""

from collections.abc import Callable
from typing import Any

from sb3_delta_waypoint.bounds import is_number

CHOICES: dict[str, tuple[str, ...]] = {
    "group_start": ("start", "state"),
    "advantage": ("outcome", "process"),
    "advantage_scale": ("group", "batch"),
    "zero_std": ("skip", "resample"),
    "importance": ("step", "episode"),
    "proximal": ("acting", "latest"),
    "loss_average": ("episode", "step"),
}
"""Valid words of the settings that accept words."""

AT_LEAST_ONE = ("n_steps", "batch_size", "n_epochs", "n_groups")
POSITIVE = ("clip_range", "clip_range_high", "target_kl", "kl_target", "advantage_scale", "loss_average", "max_grad_norm")


def check_settings(settings: dict[str, Any]) -> None:
    """
    Check the settings of GRPO.

    :param settings: settings by name
    :raises ValueError: naming the first invalid setting, and what is valid
    """

    def check(name: str, fits: Callable[[Any], bool], wanted: str) -> None:
        if not fits(settings[name]):
            raise ValueError(f"{name}={settings[name]!r}: {wanted}")

    check(
        "group_size",
        lambda size: is_number(size, whole=True) and size >= 2,
        "an episode is judged by the others of its group: a whole number, 2 at least",
    )
    for name in AT_LEAST_ONE:
        check(name, lambda value: is_number(value, whole=True) and value >= 1, "a whole number, 1 at least")
    # schedules are bounded below by zero, so a negative rate would silently train nothing
    check("learning_rate", lambda value: not isinstance(value, int | float) or value >= 0, "it must not be negative")
    for name, words in CHOICES.items():
        number = name in POSITIVE
        kinds = f"one of {', '.join(map(repr, words))}" + (", or a positive number" if number else "")
        check(name, lambda v, words=words, number=number: v in words or (number and not isinstance(v, str)), kinds)  # type: ignore[misc]
    for name in POSITIVE:
        check(name, lambda value: not isinstance(value, int | float) or value > 0, "it must be positive")
    check("loss_average", lambda value: value is not None, "one of 'episode', 'step', or a constant length")
    check(
        "state_share",
        lambda share: is_number(share) and 0 < share < 1,
        "above 0, and below 1, since states are those of episodes that began at a start",
    )
    check("gamma", lambda value: is_number(value) and 0 < value <= 1, "above 0, and 1 at most")
    check("dual_clip", lambda value: value is None or (is_number(value) and value > 1), "above 1, or None for no bound")
    check("kl_coef", lambda value: is_number(value) and value >= 0, "a number, 0 at least")
    if settings["kl_target"] is not None:
        check("kl_coef", lambda value: value > 0, "kl_target adapts it from a positive value on")
