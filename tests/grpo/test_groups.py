"""Scenario numbers: those of DESIGN, for any number of envs, in any kind of vec env."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import IdentityEnv, IdentityEnvMultiBinary
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecFrameStack, VecMonitor, VecNormalize

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.grpo import GRPO, ScenarioGroups
from sb3_delta_waypoint.grpo.groups import reset_seed
from tests.grpo.conftest import QUICK, short_budget


class Recorder(BaseCallback):
    """Keeps (env, scenario, first observation) of every episode that has ended."""

    def _on_training_start(self):
        self.n_envs = self.training_env.num_envs
        self.first = [self._observation(self.model._last_obs, i) for i in range(self.n_envs)]
        self.episodes = []

    @staticmethod
    def _observation(observations, i):
        parts = observations.values() if isinstance(observations, dict) else [observations]
        return np.concatenate([part[i].ravel() for part in parts])

    def _on_step(self):
        for i in np.flatnonzero(self.locals["dones"]):
            self.episodes.append((int(i), self.locals["infos"][i]["scenario"], self.first[i]))
            self.first[i] = self._observation(self.locals["new_obs"], i)
        return True


def check(recorder, group_size):
    """The k-th episode of env i plays scenario (k * n + i) // group_size, and equal scenarios begin alike."""
    first, counts = {}, [0] * recorder.n_envs
    for i, scenario, observation in recorder.episodes:
        assert scenario == (counts[i] * recorder.n_envs + i) // group_size
        counts[i] += 1
        np.testing.assert_array_equal(first.setdefault(scenario, observation), observation)
    distinct = {observation.tobytes() for observation in first.values()}
    assert len(distinct) == len(first) > 3
    return first


@pytest.mark.parametrize("n_envs", [1, 3, 8])
def test_cartpole(n_envs):
    model = GRPO("MlpPolicy", make_vec_env("CartPole-v1", n_envs), seed=3, **QUICK)
    recorder = Recorder()
    model.learn(600, recorder)
    found = check(recorder, 4)
    # and scenario g is the same for any number of envs
    for scenario, observation in list(found.items())[:3]:
        expected = gym.make("CartPole-v1").reset(seed=reset_seed(3, scenario))[0]
        np.testing.assert_array_equal(observation, expected)


def test_env_id():
    recorder = Recorder()
    GRPO("MlpPolicy", "CartPole-v1", seed=0, **QUICK).learn(500, recorder)
    check(recorder, 4)


@pytest.mark.parametrize("n_envs", [4, 6])
def test_native_vec_env(n_envs):
    venv = make_waypoint_vec_env(n_envs=n_envs, group_size=4, route_length=20)
    model = GRPO(DeltaWaypointPolicy, venv, seed=5, **QUICK)
    recorder = Recorder()
    model.learn(1000, recorder)
    found = check(recorder, 4)
    alone = make_waypoint_vec_env(n_envs=1, seed=5, route_length=20).reset()
    np.testing.assert_array_equal(found[0], Recorder._observation(alone, 0))


@short_budget
def test_vec_env_wrappers_are_looked_through():
    venv = VecFrameStack(VecMonitor(DummyVecEnv([lambda: gym.make("CartPole-v1")] * 3)), 2)
    model = GRPO("MlpPolicy", VecNormalize(venv), seed=0, **QUICK)
    model.learn(300)
    assert all(isinstance(env, ScenarioGroups) for env in venv.unwrapped.envs)


@short_budget
def test_wrapped_once_only():
    venv = make_vec_env("CartPole-v1", 2, wrapper_class=ScenarioGroups)
    inner = [env.env for env in venv.envs]
    for _ in range(2):
        GRPO("MlpPolicy", venv, **QUICK).learn(50)
    assert [env.env for env in venv.envs] == inner


@short_budget
@pytest.mark.parametrize("start_method", ["fork"])
def test_processes(start_method):
    kwargs = {"vec_env_cls": SubprocVecEnv, "vec_env_kwargs": {"start_method": start_method}}
    venv = make_vec_env("CartPole-v1", 2, **kwargs)
    with pytest.raises(ValueError, match="SubprocVecEnv resets its envs out of reach.*wrapper_class=ScenarioGroups"):
        GRPO("MlpPolicy", venv, **QUICK)
    with pytest.warns(UserWarning, match="begin scenario 0 with different observations"):
        GRPO("MlpPolicy", venv, allow_different_starts=True, **QUICK).learn(150)
    venv.close()
    venv = make_vec_env("CartPole-v1", 2, wrapper_class=ScenarioGroups, **kwargs)
    recorder = Recorder()
    GRPO("MlpPolicy", venv, seed=3, **QUICK).learn(400, recorder)
    venv.close()
    check(recorder, 4)


def test_native_groups_of_another_size_are_refused():
    with pytest.raises(ValueError, match="group_size=4, but the vec env plays each scenario 1 times.*group_size=4"):
        GRPO(DeltaWaypointPolicy, make_waypoint_vec_env(n_envs=4), **QUICK)


class Restless(gym.Env):
    """Does not honour the seed."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,))
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.random.uniform(-1, 1, 1).astype(np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, True, False, {}


def test_members_that_begin_differently():
    with pytest.raises(ValueError, match="env 0 and env 1 begin scenario 0 with different observations"):
        GRPO("MlpPolicy", DummyVecEnv([Restless, Restless]), **QUICK).learn(10)


def test_different_starts_can_be_allowed(tmp_path):
    venv = DummyVecEnv([Restless, Restless])
    model = GRPO("MlpPolicy", venv, allow_different_starts=True, **{**QUICK, "n_steps": 8})
    with pytest.warns(UserWarning, match="env 0 and env 1 begin scenario 0 with different observations") as caught:
        model.learn(40)
    assert len(caught) == 1, "once is enough"
    model.save(tmp_path / "model")
    loaded = GRPO.load(tmp_path / "model", env=venv)
    with pytest.warns(UserWarning, match="begin scenario"):
        loaded.learn(40)


class Drawing(gym.Env):
    """Draws from the generators of its spaces, as SB3's IdentityEnv does."""

    def __init__(self):
        self.action_space = gym.spaces.Discrete(1000)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action):
        return self._draw(), 0.0, True, False, {}

    def _draw(self):
        return np.array([self.action_space.sample() / 1000, self.observation_space.sample()[0]], np.float32)


class Stretched(gym.ObservationWrapper):
    """Has an observation space of its own."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (2,))

    def observation(self, observation):
        return 2.0 * observation


@pytest.mark.parametrize("make", [Drawing, lambda: Stretched(Drawing())])
def test_envs_that_draw_from_their_spaces(make):
    starts = {}
    for index in (0, 1):
        env = ScenarioGroups(Monitor(make()))
        env.number_scenarios(index, n_envs=2, group_size=2)
        starts[index] = [env.reset(seed=7 + index)[0], *(env.reset()[0] for _ in range(3))]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert len(np.unique(starts[0], axis=0)) == 4
    first = starts[0][0] / np.abs(starts[0][0]).max()
    assert abs(first[0] - first[1]) > 1e-3, "the two spaces draw numbers of their own"


@pytest.mark.parametrize("make", [IdentityEnv, IdentityEnvMultiBinary])
def test_sb3s_identity_envs(make):
    model = GRPO("MlpPolicy", make(3, ep_length=5), seed=0, **QUICK).learn(60)
    assert model._n_updates > 0


class Lockstep(VecEnv):
    """A minimal vec env of another package: two envs that begin anywhere and end together."""

    num_envs, render_mode, n_steps = 2, None, 0
    observation_space, action_space = Restless.observation_space, Restless.action_space

    def __init__(self):
        pass

    def reset(self):
        return np.random.uniform(-1, 1, (2, 1)).astype(np.float32)

    def step_async(self, actions):
        self.n_steps += 1

    def step_wait(self):
        done = self.n_steps % 3 == 0
        infos = [{"terminal_observation": np.zeros(1, np.float32)}] * 2 if done else []
        return self.reset(), np.random.uniform(size=2).astype(np.float32), np.full(2, done), infos

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name)] * 2

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * 2

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError

    def close(self):
        pass


def test_vec_envs_of_others():
    with pytest.raises(ValueError, match="Lockstep resets its envs out of reach.*allow_different_starts=True"):
        GRPO("MlpPolicy", Lockstep(), **QUICK)
    model = GRPO("MlpPolicy", Lockstep(), allow_different_starts=True, **QUICK)
    with pytest.warns(UserWarning, match="begin scenario 0 with different observations"):
        model.learn(60)
    assert model._n_updates > 0


def test_options_reach_an_env_that_takes_them():
    taken = []

    class Taking(Restless):
        def reset(self, *, seed=None, options=None):
            taken.append(options)
            return super().reset(seed=seed)

    env = ScenarioGroups(Taking())
    env.reset(options={"start": 3})
    env.reset()
    assert taken == [{"start": 3}, None]


def test_an_env_that_takes_no_options():
    class Plain(Restless):
        def reset(self, *, seed=None):
            return super().reset(seed=seed)

    ScenarioGroups(Monitor(Plain())).reset(seed=3)


@short_budget
def test_training_goes_on_with_new_scenarios():
    model = GRPO("MlpPolicy", make_vec_env("CartPole-v1", 4), seed=3, **QUICK)
    recorder = Recorder()
    seen = []
    model.learn(100, recorder)
    seen.append(recorder.first[0])
    model.set_env(make_vec_env("CartPole-v1", 4))  # which makes the model reset it
    for reset in (False, True):
        model.learn(10, recorder, reset_num_timesteps=reset)
        seen.append(recorder.episodes[0][2] if recorder.episodes else recorder.first[0])
    assert len({observation.tobytes() for observation in seen}) == 3


@short_budget
def test_a_reset_from_outside_is_noticed():
    model = GRPO("MlpPolicy", make_vec_env("CartPole-v1", 4), seed=3, **QUICK)
    model.learn(100)
    evaluate_policy(model, model.get_env(), n_eval_episodes=2)
    with pytest.raises(ValueError, match="scenario .* was its turn.*Evaluate on other envs"):
        model.learn(500, reset_num_timesteps=False)
    model.learn(100)


class Twins(gym.Env):
    """Draws from two spaces that are alike, and from its own generator."""

    def __init__(self):
        self.action_space, self.observation_space = (gym.spaces.Box(0.0, 1.0, (3,), np.float64) for _ in range(2))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        draws = self.action_space.sample(), self.observation_space.sample(), self.np_random.uniform(size=3)
        return np.stack(draws), {}


def test_spaces_and_env_draw_numbers_of_their_own():
    (actions, observations, own), _ = ScenarioGroups(Twins()).reset(seed=7)
    assert len({*actions, *observations, *own}) == 9
