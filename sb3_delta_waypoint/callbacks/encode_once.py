"""Running the frozen planner once per step, and not in every epoch of every update."""

from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.feature_buffer import FeatureRolloutBuffer


class EncodeOnceCallback(BaseCallback):
    """
    A callback that makes PPO, A2C and TRPO run the frozen planner once per step.

    Their rollout buffer is replaced by one that stores what the planner made of the observations when the policy acted
    (:class:`~sb3_delta_waypoint.policies.feature_buffer.FeatureRolloutBuffer`). The run is the same up to rounding, and the
    saved model takes observations as ever. GRPO needs no such callback, since its own buffer stores the features.

    :raises ValueError: when training begins, if the policy is not a ``DeltaWaypointPolicy``, or the algorithm has another
        kind of buffer
    """

    model: OnPolicyAlgorithm

    def _init_callback(self) -> None:
        if not isinstance(getattr(self.model, "rollout_buffer", None), RolloutBuffer):
            raise ValueError(
                f"EncodeOnceCallback is for PPO, A2C and TRPO, not for {type(self.model).__name__}: omit it; GRPO runs the "
                "planner once per step by itself"
            )
        if not isinstance(self.model.policy, DeltaWaypointPolicy):
            raise ValueError(
                f"EncodeOnceCallback: {type(self.model.policy).__name__} has no frozen planner: omit it, or use "
                "DeltaWaypointPolicy"
            )

    def _on_training_start(self) -> None:
        policy = self.model.policy
        assert isinstance(policy, DeltaWaypointPolicy)
        self.model.rollout_buffer = FeatureRolloutBuffer(self.model.rollout_buffer, policy)

    def _on_step(self) -> bool:
        return True
