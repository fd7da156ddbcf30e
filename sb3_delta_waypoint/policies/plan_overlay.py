"""Drawing the planner's plan beside the plan that is driven."""

from collections.abc import Mapping

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from sb3_delta_waypoint.policies.inference import WaypointPolicy


class PlanOverlay(VecEnvWrapper):
    """
    A wrapper that draws the frozen planner's plan beside the plan that is driven. Before each step it sets the ``overlay`` of
    the envs; observations, rewards and actions are unchanged.

    :param venv: single envs, as ``make_vec_env("ToyWaypoint-v0", env_kwargs={"render_mode": "rgb_array"})`` makes them
    :param policy: the refined policy whose planner's plan is drawn; it may be set later, and None draws nothing
    :raises ValueError: if the envs do not draw plans
    """

    def __init__(self, venv: VecEnv, policy: WaypointPolicy | None = None):
        super().__init__(venv)
        if not venv.has_attr("overlay"):
            raise ValueError(f"{venv} cannot draw plans beside the driven one: its envs have no attribute 'overlay'")
        self.policy = policy
        self._observations: VecEnvObs | None = None

    def reset(self) -> VecEnvObs:
        """Begin an episode in every env."""
        self._observations = self.venv.reset()
        return self._observations

    def step_async(self, actions: np.ndarray) -> None:
        """
        Draw the planner's plans and start a step.

        :param actions: the plans to drive, float32 ``(n, H, 2)``, metres, ego frame
        """
        if self.policy is not None:
            assert isinstance(self._observations, Mapping)
            plans = self.policy(self._observations, parts=True).sft_waypoints
            for index, plan in enumerate(plans):
                self.venv.env_method("set_wrapper_attr", "overlay", {"sft": plan}, indices=index)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """
        Finish the step.

        :return: observations, rewards, dones and infos of the envs
        """
        self._observations, rewards, dones, infos = self.venv.step_wait()
        return self._observations, rewards, dones, infos
