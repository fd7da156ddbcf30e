"""Schedules that training cannot drive beyond their end."""

from stable_baselines3.common.utils import FloatSchedule


class BoundedSchedule(FloatSchedule):
    """
    A schedule that stays at its end when training overshoots, and never goes below zero.

    SB3 computes the remaining progress as ``1 - timesteps / total``. The last rollout rarely ends at the total exactly, so the
    progress turns negative, and with it whatever falls linearly to zero: a negative learning rate climbs the loss.

    :param value_schedule: a number, or a function of the remaining progress (from 1 to 0); a schedule that is bounded already
        is not bounded twice
    """

    def __call__(self, progress_remaining: float) -> float:
        return max(super().__call__(max(progress_remaining, 0.0)), 0.0)

    def __repr__(self) -> str:
        return f"BoundedSchedule({self.value_schedule})"
