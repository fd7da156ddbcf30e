"""DAgger: a residual head, or a whole planner, trained on-policy by a teacher who can be asked in every state."""

from sb3_delta_waypoint.dagger.learners import HeadLearner, NetworkLearner
from sb3_delta_waypoint.dagger.training import DaggerResult, DaggerSettings, train_dagger

__all__ = ["DaggerResult", "DaggerSettings", "HeadLearner", "NetworkLearner", "train_dagger"]
