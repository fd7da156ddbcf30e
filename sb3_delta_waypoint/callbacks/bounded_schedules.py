"""Keep schedules from turning negative."""

from stable_baselines3.common.utils import FloatSchedule

from sb3_delta_waypoint.callbacks.short_budget import ShortBudgetWarner
from sb3_delta_waypoint.grpo.schedules import BoundedSchedule


class BoundedSchedulesCallback(ShortBudgetWarner):
    """
    Bounds every schedule of the model when training starts: learning rate, clip range and whatever else an algorithm has.

    The last rollout overshoots the budget, so that SB3's remaining progress turns negative, and a linear learning rate with
    it; then the last update climbs the loss. Bounded schedules stay at their end, and at zero or above. They are saved with
    the model, and not bounded twice when it goes on learning.

    Also warns where the budget leaves the policy hardly any update that could move it.
    """

    def _on_training_start(self) -> None:
        for name, value in list(vars(self.model).items()):
            if isinstance(value, FloatSchedule):
                setattr(self.model, name, BoundedSchedule(value))
        super()._on_training_start()

    def _on_step(self) -> bool:
        return True
