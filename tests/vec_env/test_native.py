"""The scalar env, the vector env and its SB3 adapter are the same env."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize
from stable_baselines3.common.vec_env.patch_gym import _patch_env

from sb3_delta_waypoint import make_waypoint_vec_env
from sb3_delta_waypoint.vec_env import NativeVecEnv

N = 6


@pytest.mark.parametrize("group_size", [1, 3])
def test_scalar_vector_and_adapter_agree_bit_for_bit(group_size):
    scalars = [_patch_env(gym.make("ToyWaypoint-v0", route_length=40)) for _ in range(N)]
    vector = gym.make_vec("ToyWaypoint-v0", num_envs=N, group_size=group_size, route_length=40)
    adapter = make_waypoint_vec_env("ToyWaypoint-v0", N, seed=5, group_size=group_size, route_length=40)
    seen, _ = vector.reset(seed=5)
    adapted = adapter.reset()
    episodes = [0] * N
    scalar_seen = [env.reset(seed=5, options={"scenario": i // group_size})[0] for i, env in enumerate(scalars)]
    rng = np.random.default_rng(0)
    for _ in range(250):
        for key in seen:
            assert (seen[key] == adapted[key]).all()
            assert (seen[key] == np.stack([observation[key] for observation in scalar_seen])).all()
        plans = vector.unwrapped.expert_plans() + rng.normal(0.0, 0.4, (N, 20, 2)).astype(np.float32)
        assert (plans - vector.unwrapped.expert_plans() == plans - np.stack(adapter.env_method("expert_plan"))).all()
        seen, rewards, terminated, truncated, infos = vector.step(plans)
        adapted, adapted_rewards, dones, adapted_infos = adapter.step(plans)
        assert (adapted_rewards == rewards.astype(np.float32)).all() and adapted_rewards.dtype == np.float32
        assert (dones == (terminated | truncated)).all()
        for i, env in enumerate(scalars):
            scalar_seen[i], reward, term, trunc, info = env.step(plans[i])
            assert (reward, term, trunc) == (rewards[i], terminated[i], truncated[i])
            if not (term or trunc):
                assert adapted_infos[i] == {}
                continue
            final = infos["final_info"]
            assert info["scenario"] == final["scenario"][i] == adapted_infos[i]["scenario"]
            # NaN where a metric is not defined
            np.testing.assert_equal(adapted_infos[i]["episode_metrics"], info["episode_metrics"])
            told = {name: final["episode_metrics"][name][i] for name in info["episode_metrics"]}
            np.testing.assert_equal(told, info["episode_metrics"])
            assert adapted_infos[i]["is_success"] == info["is_success"]
            assert adapted_infos[i]["TimeLimit.truncated"] == (trunc and not term)
            assert adapted_infos[i]["episode"]["r"] == pytest.approx(info["episode_metrics"]["episode_reward"])
            for key, value in scalar_seen[i].items():
                assert (infos["final_obs"][i][key] == value).all()
                assert (adapted_infos[i]["terminal_observation"][key] == value).all()
            episodes[i] += 1
            scenario = (episodes[i] * N + i) // group_size
            scalar_seen[i], _ = env.reset(options={"scenario": scenario})
    assert min(episodes) >= 2


def test_seed_starts_again_from_the_first_scenario():
    venv = make_waypoint_vec_env(n_envs=4, seed=1)
    first = venv.reset()["route"]
    assert (venv.reset()["route"] != first).any(), "a reset without a seed plays the next scenarios"
    venv.seed(1)
    assert (venv.reset()["route"] == first).all()


def test_observations_and_rewards_are_fresh_arrays():
    venv = make_waypoint_vec_env(n_envs=2, seed=1)
    before = venv.reset()
    kept = before["state"].copy()
    plans = np.stack(venv.env_method("expert_plan"))
    _, rewards, _, _ = venv.step(plans)
    _, later, _, _ = venv.step(plans)
    assert (before["state"] == kept).all() and rewards is not later


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")
def test_sb3_wrappers_work(tmp_path):
    venv = VecNormalize(VecMonitor(make_waypoint_vec_env(n_envs=4, seed=1, route_length=20), str(tmp_path)), norm_obs=False)
    venv.reset()
    lengths = []
    for _ in range(80):
        _, _, dones, infos = venv.step(np.stack(venv.env_method("expert_plan")))
        lengths += [infos[i]["episode"]["l"] for i in np.flatnonzero(dones)]
    assert len((tmp_path / "monitor.csv").read_text().splitlines()) == 2 + len(lengths)
    assert venv.env_is_wrapped(Monitor) == [True] * 4
    assert not any(venv.env_is_wrapped(VecMonitor))


def test_pictures_of_every_env():
    venv = make_waypoint_vec_env(n_envs=3, seed=1, render_mode="rgb_array")
    venv.reset()
    pictures = venv.get_images()
    assert len(pictures) == 3 and all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in pictures)
    assert (pictures[0] != pictures[1]).any()
    venv.close()


def test_another_autoreset_mode_is_refused():
    with pytest.raises(ValueError, match="SAME_STEP"):
        NativeVecEnv(gym.make_vec("CartPole-v1", num_envs=2))


def test_attributes_and_methods():
    venv = make_waypoint_vec_env(n_envs=3, seed=1)
    venv.reset()
    assert venv.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    assert len(venv.env_method("expert_plan", indices=1)) == 1
    with pytest.raises(AttributeError, match="no method 'fly'$"):
        venv.env_method("fly")
    with pytest.raises(AttributeError, match="no method 'expert_plans'; the method of one env is 'expert_plan'"):
        venv.env_method("expert_plans")
    with pytest.raises(ValueError, match="one attribute for all"):
        venv.set_attr("render_mode", "human", indices=[1])


def test_indices_that_no_env_has_are_refused():
    venv = make_waypoint_vec_env(n_envs=3, seed=1)
    venv.reset()
    for indices in (3, -1, [0, 7]):
        with pytest.raises(IndexError, match="there is no env .*, only 0 to 2"):
            venv.env_method("expert_plan", indices=indices)
        with pytest.raises(IndexError, match="there is no env"):
            venv.get_attr("num_envs", indices=indices)


@pytest.mark.parametrize("n_envs", [0, -1, 2.0, True, 10**12])
def test_numbers_of_envs_that_cannot_be_are_refused(n_envs):
    with pytest.raises(ValueError, match="n_envs="):
        make_waypoint_vec_env(n_envs=n_envs)
    with pytest.raises(ValueError, match="num_envs="):
        gym.make_vec("ToyWaypoint-v0", num_envs=n_envs)


def test_episodes_carry_their_steps_and_the_seconds_since_the_envs_were_made(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("sb3_delta_waypoint.vec_env.native.time.time", lambda: now[0])
    venv = make_waypoint_vec_env(n_envs=1, seed=1, route_length=10)
    for seconds in (2.5, 7.25):
        venv.reset()
        now[0], dones, rewards = 100.0 + seconds, [False], []
        while not dones[0]:
            _, reward, dones, infos = venv.step(np.stack(venv.env_method("expert_plan")))
            rewards += reward.tolist()
        assert infos[0]["episode"] == {"r": pytest.approx(sum(rewards)), "l": len(rewards), "t": seconds}
