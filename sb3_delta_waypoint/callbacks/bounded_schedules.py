"""Keeping schedules from becoming negative."""

from stable_baselines3.common.utils import FloatSchedule

from sb3_delta_waypoint.callbacks.short_budget import ShortBudgetWarner
from sb3_delta_waypoint.grpo.schedules import BoundedSchedule


class BoundedSchedulesCallback(ShortBudgetWarner):
    """
    A callback that bounds every schedule of the model when training starts: learning rate, clip range and any others.

    The last rollout exceeds the budget, so SB3's remaining progress becomes negative, and so does a linear learning rate. The
    last update would then increase the loss. Bounded schedules keep their final value and are never below zero. They are saved
    with the model, and not bounded twice when training is continued.

    The callback also warns if the budget leaves the policy hardly any effective update.
    """

    def _on_training_start(self) -> None:
        for name, value in list(vars(self.model).items()):
            if isinstance(value, FloatSchedule):
                setattr(self.model, name, BoundedSchedule(value))
        super()._on_training_start()

    def _on_step(self) -> bool:
        return True
