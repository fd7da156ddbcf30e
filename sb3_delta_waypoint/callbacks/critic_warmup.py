"""Training the critic before the actor."""

from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from sb3_delta_waypoint.callbacks.short_budget import ShortBudgetWarner


class CriticWarmupCallback(ShortBudgetWarner):
    """
    A callback that trains only the value head during the first steps, so that an untrained critic does not spoil a pretrained
    actor.

    During the warm-up the rollout's advantages and the entropy coefficient are zero, so that the actor has no gradient under
    unmodified PPO, A2C and TRPO. The callback warns if the budget leaves the actor hardly any update after the warm-up.

    :param warmup_steps: env steps of warm-up, counted from the model's first training; a model that has already learnt for
        longer has no warm-up
    :param verbose: 1 for a message at the end of the warm-up
    :raises ValueError: when training begins, if the algorithm has no critic
    """

    model: OnPolicyAlgorithm

    def __init__(self, warmup_steps: int = 20_000, verbose: int = 0):
        super().__init__(verbose)
        self.warmup_steps = warmup_steps
        self._warming_up = False
        self._ent_coef = 0.0

    def _init_callback(self) -> None:
        if not isinstance(getattr(self.model, "rollout_buffer", None), RolloutBuffer):
            raise ValueError(
                f"CriticWarmupCallback: {type(self.model).__name__} has no critic that would have to learn before the actor; "
                "omit the callback"
            )

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self._warming_up = self.num_timesteps < self.warmup_steps
        if self._warming_up and hasattr(self.model, "ent_coef"):  # TRPO has none
            self._ent_coef = self.model.ent_coef
            self.model.ent_coef = 0.0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self._warming_up and self.num_timesteps <= self.warmup_steps:
            self.model.rollout_buffer.advantages[:] = 0.0
        elif self._warming_up:
            self._free_actor()

    def _on_training_end(self) -> None:
        # a model saved during the warm-up must not keep the coefficient of zero
        if self._warming_up:
            self._free_actor()

    def _free_actor(self) -> None:
        self._warming_up = False
        if hasattr(self.model, "ent_coef"):
            self.model.ent_coef = self._ent_coef
        if self.verbose:
            print(f"critic warm-up is over after {self.num_timesteps} steps: the actor learns from here on")
