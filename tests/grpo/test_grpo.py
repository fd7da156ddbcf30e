"""GRPO as a citizen of Stable-Baselines3: it runs, learns, saves and is refused where other algorithms are."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch as th
import yaml
from gymnasium import spaces
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize

import sb3_delta_waypoint
from sb3_delta_waypoint.grpo import GRPO
from tests.grpo.conftest import Identity, equal, equal_returns, short_budget, state, varied

SPACES = [
    spaces.Discrete(3),
    spaces.MultiDiscrete([3, 2]),
    spaces.MultiBinary(3),
    spaces.Box(-1.0, 1.0, (2,), np.float32),
    spaces.Box(-1.0, 1.0, (2, 2), np.float32),
]


@pytest.mark.parametrize("steps", [-5, float("nan"), float("inf"), "many", True])
def test_numbers_of_steps_that_cannot_be_are_refused(make_model, steps):
    with pytest.raises(ValueError, match=f"total_timesteps='?{steps}'?: expected a number of env steps"):
        make_model().learn(steps)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces(make_model, space, tmp_path):
    model = make_model(env=Identity, env_kwargs={"space": space})
    before = state(model)
    model.learn(300)
    assert not equal(before, state(model))
    observation = np.stack([model.env.observation_space.sample() for _ in range(4)])
    actions = model.predict(observation, deterministic=True)[0]
    assert (model.predict(observation, deterministic=True)[0] == actions).all()
    assert all(model.action_space.contains(action) for action in actions)
    model.save(tmp_path / "model")
    loaded = GRPO.load(tmp_path / "model")
    assert (loaded.predict(observation, deterministic=True)[0] == actions).all()


VARIANTS = {
    "as published": {"loss_average": "episode"},
    "Dr. GRPO": {"advantage_scale": None, "loss_average": 8.0},
    "DAPO": {"clip_range_high": 0.28, "loss_average": "step", "zero_std": "resample", "mask_truncated": True},
    "GSPO": {"importance": "episode", "loss_average": "episode", "clip_range": 4e-4},
    "process": {"advantage": "process", "advantage_scale": "batch"},
    "latest": {"proximal": "latest"},
    "everything": {"dual_clip": 3.0, "ent_coef": 0.01, "kl_coef": 0.1, "kl_target": 0.01, "target_kl": 0.5, "gamma": 0.9},
}


@equal_returns
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_learn(make_model, variant):
    model = make_model(
        n_envs=8,
        n_steps=32,
        batch_size=64,
        n_epochs=5,
        learning_rate=5e-3,
        env_kwargs={"impatient": True},
        **VARIANTS[variant],
    )
    model.learn(4000)
    reward = evaluate_policy(model, make_vec_env(varied, 1, seed=9), 20)[0]
    assert reward > 6.0, "a third of 8 by chance"


@equal_returns
@pytest.mark.parametrize("space", SPACES[:4], ids=str)
def test_identity_is_learnt(make_model, space):
    model = make_model(
        env=Identity, env_kwargs={"space": space}, n_envs=8, n_steps=64, batch_size=64, n_epochs=5, learning_rate=5e-3,
        advantage="process", gamma=0.5,
    )  # fmt: skip
    model.learn(5000)
    assert evaluate_policy(model, make_vec_env(Identity, 1, seed=9, env_kwargs={"space": space}), 20)[0] > 7.0


def test_seeds_reproduce(make_model):
    models = [make_model(seed=seed).learn(300) for seed in (4, 4, 5)]
    assert equal(state(models[0]), state(models[1])) and not equal(state(models[0]), state(models[2]))


def test_going_on_equals_going_through(make_model):
    """Nothing is lost between two calls of learn: neither episodes under way nor their log-probs."""
    pieces = make_model(env_kwargs={"impatient": True}, learning_rate=2e-3)
    pieces.learn(100)
    steps = pieces.num_timesteps
    pieces.learn(1000 - steps, reset_num_timesteps=False)
    whole = make_model(env_kwargs={"impatient": True}, learning_rate=2e-3).learn(1000)
    assert pieces.num_timesteps == whole.num_timesteps > steps > 100
    assert equal(state(pieces), state(whole)) and pieces.n_trained_transitions == whole.n_trained_transitions


def test_by_default_steps_count_alike(make_model):
    """However long their episodes: an average over episodes would make a step count the less the longer its episode is."""
    model = GRPO("MlpPolicy", make_vec_env(varied, 4, env_kwargs={"impatient": True}), seed=0)
    batches = []
    original = model._take_batch
    model._take_batch = lambda: batches.append(original()) or batches[-1]
    model.learn(300)
    for batch in batches:
        assert len(batch.lengths) >= 16 and len(set(batch.lengths.tolist())) > 1 and (batch.weights == 1.0).all()


def test_the_yaml_of_the_waypoint_envs_depends_on_no_default_that_has_changed():
    entries = yaml.safe_load((Path(sb3_delta_waypoint.__file__).parent / "hyperparams" / "grpo.yml").read_text())
    for env_id, n_groups in {"ToyWaypoint-v0": 8, "CarlaWaypoint-v0": 4}.items():
        assert entries[env_id]["n_groups"] == n_groups and entries[env_id]["loss_average"] == "episode"


def test_what_is_carried_over_keeps_its_log_probs(make_model):
    model = make_model(n_envs=5, learning_rate=0.05, env_kwargs={"length": 30, "impatient": True})
    old, carried = [], []
    original = model._take_batch

    def spy():
        batch = original()
        seen, actions, log_probs = batch.transitions
        with th.no_grad():
            now = model.policy.get_distribution(seen).log_prob(actions)
        # the policy of this update is that which acted since the last: other ratios belong to older transitions
        old.append((now - log_probs).abs().max().item())
        carried.append(log_probs)
        return batch

    model._take_batch = spy
    acted = []

    class Acted(BaseCallback):
        def _on_step(self):
            acted.append(self.locals["log_probs"])
            return True

    model.learn(600, Acted())
    assert old[0] < 1e-5 and max(old) > 1e-2
    assert set(th.cat(carried).tolist()) <= set(th.cat(acted).tolist())


@short_budget
def test_latest_policy_as_proximal(make_model):
    """Ratios start at one for every transition; what has become less likely since it was acted counts for less."""
    acting = make_model(n_envs=5)
    acting.learn(60)
    latest = make_model(n_envs=5, proximal="latest")
    latest.env, latest.rollout_buffer, latest.policy = acting.env, acting.rollout_buffer, acting.policy
    _, callback = acting._setup_learn(60, reset_num_timesteps=False)
    acting.collect_rollouts(acting.env, callback, acting.rollout_buffer, 30)
    episodes = acting.rollout_buffer.take()
    acting.rollout_buffer.take = latest.rollout_buffer.take = lambda: episodes
    with th.no_grad():
        for parameter in acting.policy.parameters():
            parameter += 0.1 * th.randn(parameter.shape, generator=th.Generator().manual_seed(1))
    old, new = acting._take_batch(), latest._take_batch()
    seen, actions, log_probs = new.transitions
    with th.no_grad():
        np.testing.assert_allclose(log_probs, acting.policy.get_distribution(seen).log_prob(actions), rtol=1e-5)
    ratio = np.exp(log_probs.double().numpy() - old.transitions.log_probs.double().numpy())
    assert ratio.min() < 0.9 and ratio.max() > 1.1
    np.testing.assert_allclose(new.advantages, old.advantages.double().numpy() * np.minimum(ratio, 1.0), rtol=1e-4, atol=1e-6)


def test_truncated_episodes_are_masked(make_model):
    model = make_model(mask_truncated=True)  # all are
    before = state(model)
    model.learn(200)
    assert equal(before, state(model)) and model.n_trained_transitions == 0


@pytest.mark.parametrize("kl_coef", [0.0, 0.1])
def test_save_and_load(make_model, kl_coef, tmp_path):
    model = make_model(kl_coef=kl_coef, kl_target=0.01 if kl_coef else None, learning_rate=5e-3)
    initial = state(model)
    model.learn(500)
    buffer = io.BytesIO()
    model.save(buffer)
    loaded = GRPO.load(buffer, env=model.env)
    assert equal(state(model), state(loaded)) and loaded.num_timesteps == model.num_timesteps
    assert loaded.kl_coef == model.kl_coef and loaded.n_trained_transitions == model.n_trained_transitions
    moments = [m.policy.optimizer.state_dict()["state"] for m in (model, loaded)]
    assert moments[0].keys() == moments[1].keys() and all(
        (moments[0][i]["exp_avg"] == moments[1][i]["exp_avg"]).all() for i in moments[0]
    )
    if kl_coef:
        assert model.kl_coef != kl_coef, "adapted"
        for reference in (model.reference_policy, loaded.reference_policy):
            assert equal(initial, reference.state_dict())
    else:
        assert loaded.reference_policy is None
    loaded.learn(100, reset_num_timesteps=False)
    assert loaded.num_timesteps > model.num_timesteps


@short_budget
def test_a_reference_can_be_added_and_left_out_later(make_model, tmp_path):
    model = make_model().learn(100)
    model.save(tmp_path / "without")
    loaded = GRPO.load(tmp_path / "without", env=model.env, kl_coef=0.1)
    loaded.learn(100, reset_num_timesteps=False)
    assert equal(state(model), loaded.reference_policy.state_dict())
    loaded.save(tmp_path / "with")
    other = GRPO.load(tmp_path / "with", env=model.env, kl_coef=0.0).learn(50)
    assert equal(state(model), other.reference_policy.state_dict())


@short_budget
@pytest.mark.parametrize("kl_coef", [0.0, 0.1])
def test_parameters(make_model, kl_coef, tmp_path):
    model, other = make_model(kl_coef=kl_coef).learn(100), make_model(kl_coef=kl_coef, seed=7)
    other.set_parameters(model.get_parameters())
    assert equal(state(model), state(other))
    model.save(tmp_path / "model")
    other = make_model(kl_coef=kl_coef, seed=7)
    other.set_parameters(str(tmp_path / "model"))
    assert equal(state(model), state(other))
    other.learn(50)


def test_reference_holds_the_policy(make_model):
    distances = {}
    for kl_coef in (0.001, 20.0):
        model = make_model(kl_coef=kl_coef, learning_rate=2e-3, n_epochs=4, n_envs=8).learn(1500)
        distances[kl_coef] = model.logger.name_to_value["train/kl"]
    assert 0.0 < distances[20.0] < 0.3 * distances[0.001]


def test_target_kl_ends_updates_early(make_model, capsys):
    model = make_model(target_kl=1e-4, learning_rate=0.02, n_epochs=20, verbose=1)
    model.learn(200)
    assert "Early stopping" in capsys.readouterr().out and model._n_updates < 20 * 3


def test_logs(make_model, tmp_path):
    model = make_model(ent_coef=0.01, clip_range_high=0.3, kl_coef=0.01, env_kwargs={"impatient": True})
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(400)
    logged = (tmp_path / "progress.csv").read_text().splitlines()[0].split(",")
    assert set(logged) >= {
        *("time/fps", "time/iterations", "time/time_elapsed", "time/total_timesteps"),
        *("rollout/ep_len_mean", "rollout/ep_rew_mean"),
        *("train/approx_kl", "train/clip_fraction", "train/clip_fraction_low", "train/clip_fraction_high"),
        *("train/clip_range", "train/clip_range_high", "train/entropy_loss", "train/learning_rate", "train/loss"),
        *("train/n_updates", "train/policy_gradient_loss", "train/kl", "train/kl_coef"),
        *("grpo/frac_groups_zero_std", "grpo/n_groups", "grpo/reward_mean", "grpo/reward_std_within"),
        "grpo/trained_fraction",
    }


@short_budget
def test_logged_rewards(make_model):
    model = make_model(env=Identity, env_kwargs={"length": 4}, n_envs=4)
    model.learn(16, log_interval=1000)
    logged = model.logger.name_to_value
    returns = np.array([episode["r"] for episode in model.ep_info_buffer]).reshape(-1, 4)
    assert len(returns) == logged["grpo/n_groups"]
    assert logged["grpo/reward_mean"] == pytest.approx(returns.mean())
    assert logged["grpo/reward_std_within"] == pytest.approx(returns.std(axis=1).mean())


@pytest.mark.filterwarnings("ignore:rich is experimental")
def test_callbacks(make_model, tmp_path):
    seen = []

    class Count(BaseCallback):
        def _on_step(self):
            assert self.locals["rewards"].shape == self.locals["dones"].shape == (3,)
            assert self.locals["new_obs"].shape == (3, 3) and len(self.locals["infos"]) == 3
            seen.append("step")
            return True

        def _on_rollout_start(self):
            seen.append("start")

        def _on_rollout_end(self):
            seen.append("end")

    evaluation = EvalCallback(make_vec_env(varied, 1), eval_freq=20, n_eval_episodes=2, log_path=str(tmp_path), verbose=0)
    model = make_model()
    model.learn(400, [Count(), evaluation, CheckpointCallback(50, str(tmp_path))], progress_bar=True)
    assert seen.count("step") * 3 == model.num_timesteps and seen.count("start") == seen.count("end") > 2
    assert len(np.load(tmp_path / "evaluations.npz")["timesteps"]) == seen.count("step") // 20
    GRPO.load(tmp_path / "rl_model_150_steps.zip")


def test_a_callback_ends_training_and_it_goes_on(make_model):
    model = make_model()
    model.learn(10_000, StopTrainingOnMaxEpisodes(7))
    steps = model.num_timesteps
    assert steps < 400 and model.rollout_buffer.n_held + model.n_trained_transitions <= steps
    model.learn(100, reset_num_timesteps=False)
    assert model.num_timesteps > steps


def test_vec_normalize(make_model):
    venv = VecNormalize(make_vec_env(varied, 3), norm_obs=True, norm_reward=True)
    model = make_model(vec_env=venv).learn(300)
    assert model.get_vec_normalize_env() is venv and venv.obs_rms.count > 300


def test_modes(make_model):
    class Watched(th.nn.Module):
        training_modes: list[bool] = []

        def forward(self, x):
            self.training_modes.append((self.training, th.is_grad_enabled()))
            return x

    model = make_model()
    model.policy.action_net = th.nn.Sequential(Watched(), model.policy.action_net)
    model.learn(100)
    assert set(Watched.training_modes) >= {(False, False), (True, True)} and (False, True) not in Watched.training_modes
    model.predict(np.zeros((1, 3), np.float32))
    assert Watched.training_modes[-1] == (False, False)


def test_tensorboard(make_model, tmp_path):
    pytest.importorskip("tensorboard")
    model = make_model(tensorboard_log=str(tmp_path))
    model.learn(100)
    assert list((tmp_path / "GRPO_1").glob("events.out.tfevents.*"))


@pytest.mark.skipif(not th.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("policy", "kind"), [("MlpPolicy", "vector"), ("CnnPolicy", "image"), ("MultiInputPolicy", "dict")])
def test_cuda(make_model, policy, kind):
    model = make_model(policy, env_kwargs={"kind": kind}, device="cuda", kl_coef=0.1, mask_truncated=False)
    model.learn(100)
    assert next(model.policy.parameters()).is_cuda


def test_a_gradient_that_is_not_finite_leaves_the_parameters(make_model):
    model = make_model()
    before = state(model)
    model.policy.action_net.register_full_backward_hook(lambda _, grads, __: (grads[0] * np.nan,))
    with pytest.raises(ValueError, match="gradient is not finite in update 0"):
        model.learn(100)
    assert equal(before, state(model))
