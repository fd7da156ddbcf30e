"""Small envs that honour ``reset(seed=...)``, and models on them."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

from sb3_delta_waypoint.grpo import GRPO

QUICK = {"n_steps": 16, "batch_size": 16, "n_epochs": 2, "group_size": 4, "n_groups": 2}
short_budget = pytest.mark.filterwarnings("ignore:total_timesteps=.* is over before the first update")
"""Of tests that train for less than an update takes."""
equal_returns = pytest.mark.filterwarnings("ignore:within each of the last .* all returns were equal")
"""Of tests on tasks that are soon mastered."""


class Identity(gym.Env):
    """Repeat what is shown: the reward is the share of the action that does. A wrong answer may end the episode early."""

    def __init__(self, space: spaces.Space | None = None, length: int = 8, impatient: bool = False):
        self.action_space = spaces.Discrete(3) if space is None else space
        self.observation_space = self.action_space
        self.length, self.impatient = length, impatient

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._show(), {}

    def step(self, action):
        shown = np.asarray(self.shown, np.float64)
        error = np.abs(shown - np.asarray(action).reshape(shown.shape))
        discrete = not isinstance(self.action_space, spaces.Box)
        reward = float((error == 0).mean() if discrete else 1.0 - error.mean())
        self.t += 1
        terminated = self.impatient and self.np_random.random() < 0.5 * (reward < 0.5)
        return self._show(), reward, bool(terminated), self.t >= self.length, {}

    def _show(self):
        space, draw = self.action_space, self.np_random
        if isinstance(space, spaces.Discrete):
            self.shown = np.int64(draw.integers(space.n))
        elif isinstance(space, spaces.MultiDiscrete):
            self.shown = draw.integers(space.nvec)
        elif isinstance(space, spaces.MultiBinary):
            self.shown = draw.integers(2, size=space.shape).astype(np.int8)
        else:
            self.shown = draw.uniform(space.low, space.high).astype(np.float32)
        return self.shown


class Varied(gym.ObservationWrapper):
    """The same task, shown as an image, as a dict of everything, or as a vector."""

    def __init__(self, env: Identity, kind: str):
        super().__init__(env)
        image = spaces.Box(0, 255, (36, 36, 1), np.uint8)
        vector = spaces.Box(-10.0, 10.0, (3,), np.float32)
        self.kind = kind
        self.observation_space = {
            "image": image,
            "vector": vector,
            "dict": spaces.Dict({"image": image, "vector": vector, "number": spaces.Discrete(3)}),
        }[kind]

    def observation(self, shown):
        image = np.full((36, 36, 1), 80 * int(shown), np.uint8)
        vector = np.eye(3, dtype=np.float32)[int(shown)]
        return {"image": image, "vector": vector, "dict": {"image": image, "vector": vector, "number": shown}}[self.kind]


def varied(kind: str = "vector", **kwargs) -> Varied:
    return Varied(Identity(**kwargs), kind)


@pytest.fixture
def make_model():
    """A function that makes a model on a few small envs."""

    def make(policy="MlpPolicy", env=varied, n_envs=3, env_kwargs=None, vec_env=None, **kwargs):
        venv = make_vec_env(env, n_envs, env_kwargs=env_kwargs) if vec_env is None else vec_env
        return GRPO(policy, venv, **{"seed": 0, **QUICK, **kwargs})

    return make


def state(model):
    """A copy of the policy's parameters and buffers."""
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def equal(one, other):
    """Whether two such copies agree, bit for bit."""
    return all((one[name] == other[name]).all() for name in one)
