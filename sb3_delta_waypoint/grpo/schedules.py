"""Schedules that are bounded when training exceeds its budget."""

from stable_baselines3.common.utils import FloatSchedule


class BoundedSchedule(FloatSchedule):
    """
    A schedule that keeps its final value when training exceeds its budget, and is never below zero.

    SB3 computes the remaining progress as ``1 - timesteps / total``. The last rollout rarely ends exactly at the total, so the
    progress becomes negative, and so does every schedule that falls linearly to zero. A negative learning rate increases the
    loss.

    :param value_schedule: a number, or a function of the remaining progress (from 1 to 0); a schedule that is already bounded
        is not bounded twice
    """

    def __call__(self, progress_remaining: float) -> float:
        return max(super().__call__(max(progress_remaining, 0.0)), 0.0)

    def __repr__(self) -> str:
        return f"BoundedSchedule({self.value_schedule})"
