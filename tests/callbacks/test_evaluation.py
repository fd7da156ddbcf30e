"""Evaluation while training: what is logged, written and kept, and when training is stopped."""

import zipfile

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, StopTrainingOnNoModelImprovement, StopTrainingOnRewardThreshold
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from sb3_delta_waypoint.callbacks.evaluation import WaypointEvalCallback
from sb3_delta_waypoint.evaluation.rollout import evaluate_scenarios
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

KWARGS = {"route_length": 12.0, "horizon_steps": 5}
N_SCENARIOS = 6


def make_venv(n_envs=2):
    return make_waypoint_vec_env(n_envs=n_envs, seed=1, **KWARGS)


def make_model(venv, n_steps=8):
    planner = SFTWaypointModel(horizon_steps=5, hidden_dims=(8,))
    return PPO(DeltaWaypointPolicy, venv, n_steps=n_steps, batch_size=8, n_epochs=1, seed=0, policy_kwargs={"sft": planner})


def evaluated_alone(model, eval_env):
    """What an evaluation on scenarios 0 … 5 of seed 3 finds, without the callback."""
    return evaluate_scenarios(
        lambda observations: model.predict(observations, deterministic=True)[0], eval_env, N_SCENARIOS, 3
    )


class Records(KVWriter):
    """Keeps what the logger writes."""

    def __init__(self):
        self.rows = []

    def write(self, key_values, key_excluded, step=0):
        self.rows.append({**key_values, "step": step})

    def close(self):
        pass


@pytest.fixture
def scripted(monkeypatch):
    """Evaluations with given means instead of driving: one list of (success rate, ADE, reward, others) per test."""

    def play(*evaluations):
        remaining = iter(evaluations)

        def evaluate(policy, venv, n_scenarios, seed):
            success_rate, ade, reward, *more = next(remaining)
            metrics = {"success_rate": success_rate, "ade": ade, "episode_reward": reward, "episode_length": 10.0}
            metrics |= more[0] if more else {}
            return {name: np.full(n_scenarios, value) for name, value in metrics.items()}

        monkeypatch.setattr("sb3_delta_waypoint.callbacks.evaluation.evaluate_scenarios", evaluate)

    return play


class Counter(BaseCallback):
    def _on_step(self):
        return True


@pytest.mark.parametrize("kind", ["native", "scalar envs"])
def test_end_to_end(kind, tmp_path):
    """Evaluates the planner at step 0 and then every 16 steps; files hold EvalCallback's keys and every metric."""
    if kind == "native":
        venv, eval_env = make_venv(), make_venv(n_envs=4)
    else:
        venv, eval_env = (DummyVecEnv([lambda: Monitor(gym.make("ToyWaypoint-v0", **KWARGS))] * n) for n in (2, 2))
    records = Records()
    model = make_model(venv)
    model.set_logger(Logger(None, [records]))
    callback = WaypointEvalCallback(
        eval_env,
        n_eval_episodes=N_SCENARIOS,
        eval_freq=8,
        log_path=str(tmp_path),
        best_model_save_path=str(tmp_path / "best"),
        metric="ade",
        seed=3,
        verbose=0,
    )
    before = evaluated_alone(model, eval_env)
    model.learn(32, callback=callback)

    with np.load(tmp_path / "evaluations.npz") as file:
        saved = dict(file)
    np.testing.assert_array_equal(saved["timesteps"], [0, 16, 32])
    assert {"results", "ep_lengths", "successes", "success_rate", "ade", "fde", "displacement_5", "reward_goal"} <= set(saved)
    assert all(values.shape == (3, N_SCENARIOS) for name, values in saved.items() if name != "timesteps")
    np.testing.assert_array_equal(saved["results"], saved["episode_reward"])
    np.testing.assert_array_equal(saved["ep_lengths"], saved["episode_length"])
    np.testing.assert_array_equal(saved["successes"], saved["success_rate"])
    assert saved["successes"].dtype == bool
    # the first evaluation is of the policy before any update, on the fixed scenarios
    for name, values in before.items():
        np.testing.assert_array_equal(saved[name][0], values, err_msg=name)

    evaluated = [row for row in records.rows if "eval/ade" in row]
    assert [row["step"] for row in evaluated] == [0, 16, 32]
    last = evaluated[-1]
    assert last["eval/mean_reward"] == pytest.approx(saved["results"][-1].mean())
    assert last["eval/mean_ep_length"] == pytest.approx(saved["ep_lengths"][-1].mean())
    assert last["eval/success_rate"] == saved["successes"][-1].mean()
    assert last["eval/displacement_5"] == pytest.approx(saved["displacement_5"][-1].mean())

    assert [evaluation["timesteps"] for evaluation in callback.evaluations] == [0, 16, 32]
    assert callback.last_mean_reward == last["eval/mean_reward"]
    assert callback.best_mean_reward == pytest.approx(saved["results"].mean(axis=1).max())
    lowest = saved["ade"].mean(axis=1).argmin()
    assert callback.best == callback.evaluations[lowest]
    best = PPO.load(tmp_path / "best" / "best_model.zip")
    assert best.num_timesteps == saved["timesteps"][lowest]
    np.testing.assert_array_equal(evaluated_alone(best, eval_env)["ade"], saved["ade"][lowest])


def run(scripted, evaluations, tmp_path=None, **arguments):
    """A training with scripted evaluations at steps 0, 16, 32, …; returns the callback."""
    scripted(*evaluations)
    if tmp_path is not None:
        arguments["best_model_save_path"] = str(tmp_path)
    callback = WaypointEvalCallback(make_venv(), eval_freq=8, n_eval_episodes=2, verbose=0, **arguments)
    make_model(make_venv()).learn(16 * (len(evaluations) - 1), callback=callback)
    return callback


def test_lowest_ade_under_a_constraint(scripted, tmp_path):
    new_best = Counter()
    evaluations = [(0.8, 0.2, 1.0), (0.9, 0.5, 3.0), (0.95, 0.6, 2.0), (0.9, 0.5, 0.0), (0.91, 0.4, 0.0), (0.5, 0.1, 0.0)]
    callback = run(
        scripted, evaluations, tmp_path, metric="ade", where={"success_rate": (">=", 0.9)}, callback_on_new_best=new_best
    )
    assert callback.best == callback.evaluations[4]
    assert callback.best["timesteps"] == 64
    assert PPO.load(tmp_path / "best_model").num_timesteps == 64
    assert new_best.n_calls == 2  # at steps 16 and 64: neither the tie at 48 nor those that miss the constraint
    # what SB3's own callbacks read stays the highest reward, whatever the best is chosen by
    assert callback.best_mean_reward == 3.0 and callback.last_mean_reward == 0.0


def test_default_is_the_highest_success_rate(scripted):
    callback = run(scripted, [(0.8, 0.5, 9.0), (0.9, 0.9, 0.0), (0.7, 0.1, 0.0)])
    assert callback.best["timesteps"] == 16


def test_of_equals_the_best_model_completes_more_of_the_route(scripted, tmp_path):
    more = [{"route_completion": share} for share in (0.8, 0.9, 0.9)]
    callback = run(scripted, [(0.9, 0.5, 0.0, extra) for extra in more], tmp_path)
    assert callback.best["timesteps"] == 16
    assert PPO.load(tmp_path / "best_model").num_timesteps == 16


def test_nothing_is_kept_where_nothing_meets_the_constraint(scripted, tmp_path):
    with pytest.warns(UserWarning, match="none of the 2 evaluations met success_rate >= 0.9"):
        callback = run(scripted, [(0.8, 0.2, 1.0), (0.7, 0.2, 1.0)], tmp_path, where={"success_rate": (">=", 0.9)})
    assert callback.best is None and not list(tmp_path.iterdir())


def test_no_evaluation_at_the_start_if_not_wanted(scripted):
    callback = run(scripted, [(0.8, 0.2, 1.0), (0.7, 0.2, 1.0)], evaluate_at_start=False)
    assert [evaluation["timesteps"] for evaluation in callback.evaluations] == [16]


def test_going_on_does_not_evaluate_twice_at_one_step(scripted):
    scripted(*[(0.5, 0.5, 0.0)] * 9)
    callback = WaypointEvalCallback(make_venv(), eval_freq=8, n_eval_episodes=2, verbose=0)
    model = make_model(make_venv())
    model.learn(16, callback=callback)
    model.learn(16, callback=callback, reset_num_timesteps=False)
    assert [evaluation["timesteps"] for evaluation in callback.evaluations] == [0, 16, 32]


def test_callbacks_that_stop_training(scripted):
    stop = StopTrainingOnRewardThreshold(reward_threshold=2.0)
    callback = run(scripted, [(0.5, 0.5, 1.0), (0.6, 0.5, 3.0), (0.7, 0.5, 0.0)], callback_on_new_best=stop)
    assert callback.evaluations[-1]["timesteps"] == 16
    # good enough before any training
    callback = run(scripted, [(0.5, 0.5, 5.0), (0.6, 0.5, 3.0)], callback_on_new_best=stop)
    assert callback.model.num_timesteps == 2
    stagnant = StopTrainingOnNoModelImprovement(max_no_improvement_evals=1)
    rewards = [5.0, 4.0, 3.0, 2.0, 1.0]
    callback = run(scripted, [(0.5, 0.5, reward) for reward in rewards], callback_after_eval=stagnant)
    assert len(callback.evaluations) < len(rewards)


def test_evaluations_do_not_disturb_training():
    """The same weights come out with and without evaluations."""
    weights = []
    for callback in (None, WaypointEvalCallback(make_venv(), eval_freq=8, n_eval_episodes=2, verbose=0)):
        model = make_model(make_venv())
        model.learn(32, callback=callback)
        weights.append(dict(model.policy.named_parameters()))
    for name, tensor in weights[0].items():
        assert tensor.equal(weights[1][name]), name


def test_unknown_metrics_are_refused(scripted):
    with pytest.raises(ValueError, match="cannot rank by 'succes_rate'.* success_rate, closed_loop_score"):
        WaypointEvalCallback(make_venv(), metric="succes_rate")
    with pytest.raises(ValueError, match="constraint on ade"):
        WaypointEvalCallback(make_venv(), where={"ade": ("=>", 0.9)})
    with pytest.raises(ValueError, match="unknown metric 'open_loop_ade': this evaluation reports success_rate, ade"):
        run(scripted, [(0.5, 0.5, 0.0)], metric="open_loop_ade")
    with pytest.raises(ValueError, match="unknown metric 'collisions'"):
        run(scripted, [(0.5, 0.5, 0.0)], where={"collisions": ("<", 1)})


def test_reward_normalisation_is_fine_and_does_not_reach_the_metrics(tmp_path):
    venv, eval_env = (VecNormalize(make_venv(), norm_obs=False, training=training) for training in (True, False))
    callback = WaypointEvalCallback(eval_env, eval_freq=8, n_eval_episodes=2, log_path=str(tmp_path), verbose=0)
    make_model(venv).learn(16, callback=callback)
    assert eval_env.ret_rms.mean == venv.ret_rms.mean
    reward_terms = [callback.evaluations[-1][name] for name in callback.evaluations[-1] if name.startswith("reward_")]
    assert callback.last_mean_reward == pytest.approx(sum(reward_terms), abs=1e-6)


@pytest.mark.parametrize("which", ["training", "evaluation"])
def test_normalised_observations_are_refused(which):
    venv, eval_env = make_venv(), make_venv()
    if which == "training":
        venv = VecNormalize(venv)
    else:
        eval_env = VecNormalize(eval_env)
    with pytest.raises(ValueError, match="norm_obs=False"):
        make_model(venv).learn(16, callback=WaypointEvalCallback(eval_env, verbose=0, evaluate_at_start=False))


def test_an_interrupt_while_saving_leaves_the_previous_best_whole(scripted, tmp_path, monkeypatch):
    scripted((0.5, 0.5, 0.0), (0.6, 0.5, 0.0))
    model = make_model(make_venv())
    save = model.save

    def interrupted(path, *args, **kwargs):
        if model.num_timesteps:
            path.write(b"half a file")
            raise KeyboardInterrupt
        save(path, *args, **kwargs)

    monkeypatch.setattr(model, "save", interrupted)
    callback = WaypointEvalCallback(make_venv(), eval_freq=8, n_eval_episodes=2, best_model_save_path=str(tmp_path), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        model.learn(16, callback=callback)
    assert [path.name for path in tmp_path.iterdir()] == ["best_model.zip"]
    assert zipfile.is_zipfile(tmp_path / "best_model.zip")
    assert PPO.load(tmp_path / "best_model.zip").num_timesteps == 0


def test_render(monkeypatch):
    eval_env = make_venv()
    frames = []
    monkeypatch.setattr(eval_env, "render", lambda *args: frames.append(1))
    callback = WaypointEvalCallback(eval_env, n_eval_episodes=2, render=True, verbose=0)
    make_model(make_venv()).learn(16, callback=callback)
    assert len(frames) >= 1


def test_an_evaluation_env_with_other_plans_is_refused_before_training():
    model = make_model(make_venv())
    for other in ({"plan_dt": 0.2}, {"horizon_steps": 6}):
        callback = WaypointEvalCallback(make_waypoint_vec_env(n_envs=2, **{**KWARGS, **other}), verbose=0)
        with pytest.raises(ValueError, match="make (the env|it) with"):
            model.learn(16, callback=callback)
    assert model.num_timesteps == 0


def test_a_model_whose_action_space_does_not_know_the_time_is_held_against_its_planner():
    model = make_model(make_venv())
    # as in models that were saved before the space knew
    model.action_space = spaces.Box(-100.0, 100.0, (5, 2), np.float32)
    other = {**KWARGS, "plan_dt": 0.2}
    model.set_env(make_waypoint_vec_env(n_envs=2, **other))
    callback = WaypointEvalCallback(make_waypoint_vec_env(n_envs=2, **other), verbose=0)
    with pytest.raises(ValueError, match=r"0\.1 s apart and the env's 0\.2 s"):
        model.learn(16, callback=callback)
