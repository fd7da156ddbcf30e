"""waypoints = policy(observation)"""

import sys
import zipfile

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO

from sb3_delta_waypoint import WaypointPolicy
from sb3_delta_waypoint.sft import trust
from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
from tests.policies.conftest import observations


def as_numpy(observation):
    return {key: value.numpy() for key, value in observation.items()}


def test_planner_file_numpy_and_torch_single_and_batched(planner, sft_path):
    policy = WaypointPolicy(sft_path, device="cpu")
    batch = observations(4)
    with th.no_grad():
        expected = planner(batch)[1]
    waypoints = policy(batch)
    assert isinstance(waypoints, th.Tensor) and (waypoints == expected).all()
    waypoints = policy(as_numpy(batch))
    assert isinstance(waypoints, np.ndarray) and waypoints.shape == (4, 20, 2) and (waypoints == expected.numpy()).all()
    single = policy(as_numpy({key: value[2] for key, value in batch.items()}))
    assert single.shape == (20, 2)
    np.testing.assert_allclose(single, expected[2].numpy(), rtol=1e-5, atol=1e-5)
    assert policy.horizon_steps == 20


def test_refined_model_file_model_and_policy_agree_and_give_their_parts(make_model, planner, tmp_path):
    model = make_model()
    model.learn(256)
    model.save(tmp_path / "refined.zip")
    batch = observations(4)
    with th.no_grad():
        sft = planner(batch)[1].numpy()
    expected = model.predict(as_numpy(batch), deterministic=True)[0]
    for checkpoint in (tmp_path / "refined.zip", model, model.policy):
        parts = WaypointPolicy(checkpoint)(as_numpy(batch), parts=True)
        assert (parts.waypoints == expected).all() and (parts.sft_waypoints == sft).all()
        assert (parts.waypoints == parts.sft_waypoints + parts.delta).all() and np.abs(parts.delta).max() > 0.0


def test_keys_that_nobody_reads_are_left_out(make_model):
    batch = {**as_numpy(observations(2)), "front": np.zeros((2, 3, 8, 8), np.uint8)}
    assert WaypointPolicy(make_model())(batch).shape == (2, 20, 2)


def test_missing_keys_are_named(make_model):
    policy = WaypointPolicy(make_model())
    with pytest.raises(ValueError, match="'route'"):
        policy({"state": np.zeros(4, np.float32)})
    with pytest.raises(ValueError, match="'state'"):
        policy({"route": np.zeros((10, 2), np.float32)})


def test_files_that_are_something_else_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.zip"):
        WaypointPolicy("nowhere.zip")
    (tmp_path / "text.zip").write_text("not a model")
    with pytest.raises(ValueError, match=r"text\.zip"):
        WaypointPolicy(tmp_path / "text.zip")
    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8).save(tmp_path / "cartpole.zip")
    with pytest.raises(ValueError, match="not a DeltaWaypointPolicy"):
        WaypointPolicy(tmp_path / "cartpole.zip")


def test_the_planner_of_the_package_drives():
    import gymnasium as gym

    policy = WaypointPolicy()
    env = gym.make("ToyWaypoint-v0")
    observation, _ = env.reset(seed=0)
    for _ in range(30):
        observation, _, terminated, _, _ = env.step(policy(observation))
    assert not terminated


OWN_PLANNER = """
from sb3_delta_waypoint import SFTWaypointModel

class Planner(SFTWaypointModel):
    pass

def make():
    return Planner(hidden_dims=(4,))
"""


@pytest.fixture
def own_planners(tmp_path, monkeypatch):
    """Modules that no import path was typed of."""
    for name in ("named_planners", "saved_planners"):
        (tmp_path / f"{name}.py").write_text(OWN_PLANNER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trust, "_typed", set())
    yield
    for name in ("named_planners", "saved_planners"):
        sys.modules.pop(name, None)


def test_a_model_may_name_only_planners_that_are_trusted(make_model, own_planners, tmp_path, monkeypatch):
    make_model(sft="named_planners:make", n_envs=1, batch_size=32).save(tmp_path / "named.zip")
    save_planner(load_planner("saved_planners:make"), tmp_path / "own.pt")
    make_model(sft=str(tmp_path / "own.pt"), n_envs=1, batch_size=32).save(tmp_path / "saved.zip")
    (tmp_path / "own.pt").unlink()  # its class is in the state, too
    for path in (tmp_path / "named.zip", tmp_path / "saved.zip"):
        assert WaypointPolicy(path).horizon_steps == 20, "typed in this process"
    trust._typed.clear()
    for name in ("named", "saved"):
        sys.modules.pop(f"{name}_planners")
        path = tmp_path / f"{name}.zip"
        with pytest.raises(trust.UntrustedError, match=rf"{name}.zip: .*'{name}_planners:.*--trust {name}_planners"):
            WaypointPolicy(path)
        assert f"{name}_planners" not in sys.modules
        assert type(WaypointPolicy(path, trust=(f"{name}_planners",)).module.features_extractor.planner).__name__ == "Planner"
    trust._typed.clear()
    with pytest.raises(trust.UntrustedError, match="the saved state names 'saved_planners:Planner'"):
        PPO.load(tmp_path / "saved.zip")
    with trust.trusting("saved_planners"):
        PPO.load(tmp_path / "saved.zip")


def test_damaged_and_compressed_models_are_named(make_model, tmp_path):
    path = tmp_path / "model.zip"
    make_model(n_envs=1, batch_size=32).save(path)
    whole = path.read_bytes()
    for content in (whole[:100], whole[: len(whole) // 2], whole[:-30], whole[:5000] + b"x" + whole[5001:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.zip is not an SB3 model, or is damaged"):
            WaypointPolicy(path)
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in archive.namelist():
            bomb.writestr(name, archive.read(name))
    with pytest.raises(ValueError, match=r"bomb\.zip.* is compressed"):
        WaypointPolicy(tmp_path / "bomb.zip")


def test_a_model_whose_parts_do_not_fit_is_named(make_model, tmp_path):
    path = tmp_path / "model.zip"
    model = make_model(n_envs=1, batch_size=32)
    model.policy_kwargs["delta_hidden_dim"] = 3
    model.save(path)
    with pytest.raises(ValueError, match=r"model\.zip does not fit this version of the policy: delta_hidden_dim is 3, but"):
        WaypointPolicy(path)


@pytest.mark.parametrize("attack", ["planner", "view"])
def test_a_model_that_asks_for_terabytes_is_refused(make_model, planner, tmp_path, monkeypatch, attack):
    path, sft = tmp_path / "model.zip", save_planner(planner, tmp_path / "own.pt")
    model = make_model(n_envs=1, batch_size=32, sft=str(sft))
    sft.unlink()  # so that the planner is built from the state
    state = model.policy.state_dict()
    if attack == "planner":
        state["_extra_state"]["config"]["hidden_dims"] = [10**6, 10**6]
    else:
        state["log_std"] = th.zeros(1).expand(10**12)
    monkeypatch.setattr(model.policy, "state_dict", lambda: state)
    model.save(path)
    said = {"planner": r"asks for 4,0.* bytes of tensors", "view": r"its tensors would take 4,0.* times the size of the file"}
    with pytest.raises(ValueError, match=rf"model\.zip does not fit this version of the policy: .*{said[attack]}"):
        WaypointPolicy(path)


def test_plans_are_cut_off_at_the_action_space_as_predict_does(make_model):
    model = make_model()
    with th.no_grad():
        model.policy.features_extractor.planner.waypoints_mean += 150.0
    batch = as_numpy(observations(2))
    policy = WaypointPolicy(model)
    parts = policy(batch, parts=True)
    assert (parts.waypoints == 100.0).all() and (parts.sft_waypoints == 100.0).all()
    assert (parts.waypoints == model.predict(batch, deterministic=True)[0]).all()
    alone = WaypointPolicy(model.policy.features_extractor.planner)
    assert (alone(batch) == 100.0).all()
