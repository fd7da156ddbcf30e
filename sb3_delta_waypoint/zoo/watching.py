"""What ``enjoy`` and ``record_video`` do beside rl_zoo3's: they check that model and env fit, and draw the planner's plan."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rl_zoo3.enjoy
import rl_zoo3.utils
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from sb3_delta_waypoint.evaluation.rollout import refuse_other_plans
from sb3_delta_waypoint.policies import DeltaWaypointPolicy, PlanOverlay, WaypointPolicy
from sb3_delta_waypoint.zoo.replaced import replaced


@contextmanager
def watching(show_planner: bool) -> Iterator[None]:
    """
    Make rl_zoo3's scripts build their env and load their model by a :class:`_Watch` within a context.

    :param show_planner: whether to draw the planner's plan beside the final one if a refined policy drives
    """
    watch = _Watch(rl_zoo3.utils.create_test_env, show_planner)
    algorithms = dict(rl_zoo3.utils.ALGOS)
    # the scripts have no arguments for these; record_video looks them up in utils, and all share one table of algorithms
    made = {"create_test_env": watch.make_env}
    with replaced(rl_zoo3.enjoy, **made), replaced(rl_zoo3.utils, **made):
        rl_zoo3.utils.ALGOS.update({name: _Loader(algorithm, watch) for name, algorithm in algorithms.items()})  # type: ignore[misc]
        try:
            yield
        finally:
            rl_zoo3.utils.ALGOS.update(algorithms)


class _Watch:
    """The env and the model of one script."""

    def __init__(self, make_env: Callable[..., VecEnv], show_planner: bool):
        self._make_env = make_env
        self._show_planner = show_planner
        self._env: VecEnv | None = None

    def make_env(self, *args: Any, **keywords: Any) -> VecEnv:
        self._env = self._make_env(*args, **keywords)
        if self._show_planner and self._env.has_attr("overlay"):
            self._env = PlanOverlay(self._env)
        return self._env

    def loaded(self, model: BaseAlgorithm) -> BaseAlgorithm:
        """Check that a loaded model fits the env, since ``enjoy`` loads the model without its env, and return the model."""
        if self._env is None:
            return model
        if model.action_space != self._env.action_space:
            raise ValueError(
                f"the model acts in {model.action_space} and the env in {self._env.action_space}: give the --env-kwargs of "
                "the training, or none"
            )
        refuse_other_plans(model.policy, self._env.action_space)
        if isinstance(self._env, PlanOverlay) and isinstance(model.policy, DeltaWaypointPolicy):
            self._env.policy = WaypointPolicy(model)
        return model


class _Loader:
    """A substitute for an algorithm in rl_zoo3's table, of which these scripts use only ``load``."""

    def __init__(self, algorithm: type[BaseAlgorithm], watch: _Watch):
        self._algorithm = algorithm
        self._watch = watch

    def load(self, *args: Any, **keywords: Any) -> BaseAlgorithm:
        return self._watch.loaded(self._algorithm.load(*args, **keywords))
