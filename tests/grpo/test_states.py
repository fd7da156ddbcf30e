"""Groups that begin in a state of an earlier episode."""

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

from sb3_delta_waypoint import DeltaWaypointPolicy, make_waypoint_vec_env
from sb3_delta_waypoint.grpo import GRPO
from sb3_delta_waypoint.grpo.states import GroupStates
from sb3_delta_waypoint.vec_env import WholeEpisodeMonitor
from tests.grpo.conftest import QUICK

SIZE = QUICK["group_size"]


def make(n_envs=8, venv=None, **kwargs):
    if venv is None:
        venv = make_waypoint_vec_env(n_envs=n_envs, group_size=SIZE, route_length=20, start={"lateral": 1.0})
    settings = {**QUICK, "seed": 5, "group_start": "state", "state_share": 0.5, **kwargs}
    return GRPO(DeltaWaypointPolicy, venv, **settings)


def weights(model):
    """All that was learnt."""
    return [parameter.detach().clone() for parameter in model.policy.parameters()]


def equal(one, other):
    return all((a == b).all() for a, b in zip(one, other, strict=True))


class Recorder(BaseCallback):
    """Keeps the first observation and the last info of every episode, by group."""

    def _on_training_start(self):
        self.n_envs, self.groups, self.infos = self.training_env.num_envs, {}, []
        self.first = [self._seen(i) for i in range(self.n_envs)]
        self.ended = np.zeros(self.n_envs, bool)
        self.episodes = np.zeros(self.n_envs, int)

    def _seen(self, i):
        return np.concatenate([values[i].ravel() for values in self.model._last_obs.values()])

    def _on_step(self):
        for i in np.flatnonzero(self.ended):  # what the policy saw first, which is not what the step returned
            self.first[i] = self._seen(i)
        self.ended = self.locals["dones"]
        for i in np.flatnonzero(self.ended):
            group = (self.episodes[i] * self.n_envs + i) // SIZE
            self.episodes[i] += 1
            self.infos.append(self.locals["infos"][i])
            self.groups.setdefault(group, []).append((self.first[i], self.infos[-1]))
        return True

    @property
    def whole(self):
        return [info for info in self.infos if "start_step" not in info]


@pytest.fixture(scope="module")
def trained():
    model, recorder = make(), Recorder()
    model.learn(4000, recorder)
    return model, recorder


def test_members_share_the_state_and_all_that_follows_from_it(trained):
    _, recorder = trained
    kinds = []
    for group, members in recorder.groups.items():
        if len(members) < SIZE:
            continue
        for first, info in members:
            np.testing.assert_array_equal(first, members[0][0])
            assert info["scenario"] == members[0][1]["scenario"]
            assert info.get("start_step") == members[0][1].get("start_step")
        kinds.append("start_step" in members[0][1])
        assert kinds[-1] or members[0][1]["scenario"] == group
    assert 0.2 < np.mean(kinds) < 0.7 and len(kinds) > 10
    steps = {members[0][1]["start_step"] for members in recorder.groups.values() if "start_step" in members[0][1]}
    assert len(steps) > 5 and min(steps) > 0


def test_such_episodes_count_nowhere(trained):
    model, recorder = trained
    buffer = [episode["l"] for episode in model.ep_info_buffer]
    whole = [info["episode"]["l"] for info in recorder.whole]
    assert buffer == whole[-len(buffer) :]
    assert list(model.ep_success_buffer) == [info["is_success"] for info in recorder.whole][-len(buffer) :]


def test_runs_are_determined_by_the_seed_and_differ_from_those_from_starts():
    runs = [
        make(seed=seed, **kwargs).learn(800) for seed, kwargs in ((5, {}), (5, {}), (5, {"group_start": "start"}), (6, {}))
    ]
    states = [weights(model) for model in runs]
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2]) and not equal(states[0], states[3])


def test_going_on_equals_going_through():
    pieces = make().learn(500)
    pieces.learn(1500 - pieces.num_timesteps, reset_num_timesteps=False)
    whole = make().learn(1500)
    assert pieces.num_timesteps == whole.num_timesteps and equal(weights(pieces), weights(whole))


def test_saved_models_go_on(tmp_path, trained):
    model, _ = trained
    model.save(tmp_path / "model")
    loaded = GRPO.load(tmp_path / "model", env=model.get_env())
    assert loaded.group_start == "state" and loaded._states is None
    loaded.learn(300, reset_num_timesteps=False)


def test_it_learns():
    """From starts far off the route, as the yaml has them; the means are of whole episodes."""
    venv = make_waypoint_vec_env(n_envs=64, group_size=8, route_length=40, start={"lateral": 1.0, "heading": 0.2})
    settings = {"advantage": "process", "advantage_scale": "batch", "gamma": 0.9, "proximal": "latest"}
    sizes = {"n_steps": 48, "batch_size": 1024, "n_epochs": 4, "group_size": 8, "n_groups": 8, "learning_rate": 1.5e-3}
    model, recorder = make(venv=venv, **settings, **sizes), Recorder()
    model.learn(40_000, recorder)
    rewards = [info["episode_metrics"]["episode_reward"] for info in recorder.whole]
    first, last = np.mean(rewards[:100]), np.mean(rewards[-100:])
    assert last > first + 5.0


class Counting:
    """Two envs whose states are numbers: the steps that they have made."""

    num_envs = 2

    def __init__(self):
        self.steps, self.unwrapped = np.zeros(2, int), self

    def state_of(self, i):
        return int(self.steps[i])

    def begin_in_state(self, indices, state):
        return {"steps": np.full(len(indices), state)}


def test_every_step_of_an_episode_is_equally_likely():
    venv = Counting()
    states = GroupStates(venv, 1, 0.999, seed=0)
    states.in_state[1] = True  # whose states are not kept
    kept = []
    for _ in range(400):
        for step in range(11):
            venv.steps[:] = step, 100
            states.keep(venv.steps)
        kept += list(states._kept)
        states._kept.clear()
    counts = np.bincount(kept, minlength=11)
    assert counts[0] == 0 and len(counts) == 11, "neither starts nor states of episodes that are not whole"
    assert abs(counts[1:] - 200).max() < 60


def test_no_states_yet_means_starts():
    states = GroupStates(Counting(), 2, 0.999, seed=0)
    seen = {"steps": np.zeros(2, int)}
    assert states.begin([0], [0], seen) is seen and not states.in_state.any()
    states._kept.append(7)
    later = states.begin([1], [0], seen)
    assert later is seen and not states.in_state.any(), "the group has begun at its start"
    begun = states.begin([0, 1], [1, 1], seen)
    assert begun["steps"].tolist() == [7, 7] and seen["steps"].tolist() == [0, 0] and states.in_state.all()
    assert states._groups == {}, "complete groups are forgotten"


def test_envs_and_wrappers_that_cannot():
    with pytest.raises(ValueError, match="group_start='state': DummyVecEnv cannot begin an episode in a state"):
        GRPO("MlpPolicy", make_vec_env("CartPole-v1", 2), group_start="state", **QUICK)
    venv = make_waypoint_vec_env(n_envs=4, group_size=SIZE)
    with pytest.raises(ValueError, match="a wrapper changes the observations"):
        GRPO("MultiInputPolicy", VecFrameStack(venv, 2), group_start="state", **QUICK)
    with pytest.raises(ValueError, match="norm_obs"):
        GRPO("MultiInputPolicy", VecNormalize(venv), group_start="state", **QUICK)
    with pytest.warns(UserWarning, match="already wrapped"):
        monitor = VecMonitor(venv)
    with pytest.raises(ValueError, match="VecMonitor would record episodes that are not whole"):
        make(venv=VecNormalize(monitor, norm_obs=False))
    with pytest.warns(UserWarning, match="already wrapped"):
        make(venv=VecNormalize(WholeEpisodeMonitor(venv), norm_obs=False))


@pytest.mark.parametrize("settings", [{"group_start": "end"}, {"state_share": 0.0}, {"state_share": 1.0}])
def test_settings(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"{name}="):
        make(**settings)
