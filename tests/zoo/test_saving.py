"""What is saved during a run of the front end, when the process dies in the middle of it."""

import json
import zipfile
from contextlib import suppress

import pytest

pytest.importorskip("rl_zoo3")

from click.testing import CliRunner
from stable_baselines3 import PPO
from stable_baselines3.common import save_util
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from sb3_delta_waypoint import zoo
from sb3_delta_waypoint.callbacks.run_artifacts import RunArtifactsCallback
from sb3_delta_waypoint.cli import main
from sb3_delta_waypoint.zoo.manager import WaypointExperimentManager
from sb3_delta_waypoint.zoo.saving import atomic_saves

TINY = ["--algo", "ppo", "--eval-freq", "-1", "--verbose", "0", "--env-kwargs", "route_length:20"]
FEW = ["-params", "n_envs:2", "n_steps:8", "batch_size:8", "n_epochs:1"]


class Killed(BaseException):
    """The end of the process."""


@pytest.fixture(scope="module")
def model():
    return PPO("MlpPolicy", make_vec_env("CartPole-v1"), n_steps=8, batch_size=8, device="cpu")


@pytest.fixture
def killed_while_saving(monkeypatch):
    """A function after which SB3 dies when it has written half of a model."""

    def install():
        def write_half(archive, name, *content):
            raise Killed

        monkeypatch.setattr(zipfile.ZipFile, "writestr", write_half)

    return install


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_model_is_whole_or_the_old_one(name, model, tmp_path, killed_while_saving):
    with atomic_saves():
        model.save(tmp_path / name)
        killed_while_saving()
        with pytest.raises(Killed):
            model.save(str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    PPO.load(tmp_path / "model.zip")


def test_checkpoints_are_whole(model, tmp_path, killed_while_saving):
    callback = CheckpointCallback(1, str(tmp_path))
    callback.init_callback(model)
    with atomic_saves():
        callback.on_step()
        killed_while_saving()
        model.num_timesteps += 1
        with suppress(Killed):
            callback.on_step()
    (path,) = tmp_path.iterdir()
    PPO.load(path)


def test_statistics_are_whole_or_the_old_ones(tmp_path, monkeypatch):
    venv = VecNormalize(make_vec_env("CartPole-v1"))
    path = tmp_path / "vecnormalize.pkl"

    def die(self):
        raise Killed

    with atomic_saves():
        venv.save(str(path))
        monkeypatch.setattr(VecNormalize, "__getstate__", die)
        with pytest.raises(Killed):
            venv.save(str(path))
    monkeypatch.undo()
    assert VecNormalize.load(str(path), make_vec_env("CartPole-v1")).norm_obs


def test_sb3_saves_as_before_elsewhere(model, tmp_path):
    with atomic_saves():
        pass
    from stable_baselines3.common import base_class

    assert base_class.save_to_zip_file is save_util.save_to_zip_file
    model.save(tmp_path / "model")
    PPO.load(tmp_path / "model")


def test_the_front_end_saves_atomically(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("sb3_delta_waypoint.zoo.saving.write_atomically", lambda path, content: written.append(str(path)))
    zoo.train(["-f", str(tmp_path), "-n", "32", "--save-freq", "16", *TINY, *FEW, "normalize:dict(norm_obs=False)"])
    run = tmp_path / "ppo" / "ToyWaypoint-v0_1"
    names = ["checkpoints/rl_model_16_steps.zip", "checkpoints/rl_model_32_steps.zip"]
    names += ["ToyWaypoint-v0.zip", "ToyWaypoint-v0/vecnormalize.pkl"]
    assert written == [str(run / name) for name in names]


def test_a_run_that_trained_is_kept_whatever_became_of_its_files(tmp_path, monkeypatch):
    on_end = RunArtifactsCallback._on_training_end

    def remove_config(self):
        on_end(self)
        (self.folder / "config.json").unlink()

    monkeypatch.setattr(RunArtifactsCallback, "_on_training_end", remove_config)
    manager = zoo.train(["-f", str(tmp_path), "-n", "16", *TINY, *FEW])
    run = tmp_path / "ppo" / "ToyWaypoint-v0_1"
    assert not (run / "config.json").exists()
    PPO.load(run / "ToyWaypoint-v0.zip")
    assert manager.save_path == str(run)


def test_a_run_that_fails_after_a_step_is_kept(tmp_path, monkeypatch):
    def fail(self):
        (self.folder / "config.json").unlink()
        raise ValueError("no")

    monkeypatch.setattr(RunArtifactsCallback, "_on_rollout_end", fail)
    result = CliRunner().invoke(main, ["train", "-f", str(tmp_path), "-n", "16", *TINY, *FEW])
    path = tmp_path / "ppo" / "ToyWaypoint-v0_1" / "ToyWaypoint-v0.zip"
    assert result.stderr.strip().splitlines()[-1] == f"Error: no; the model so far is {path}"
    PPO.load(path)


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("sb3_delta_waypoint.zoo.saving.write_atomically", full)
    result = CliRunner().invoke(main, ["train", "-f", str(tmp_path), "-n", "32", "--save-freq", "16", *TINY, *FEW])
    error = result.stderr.strip().splitlines()[-1]
    assert result.exit_code == 1 and "No space left" in error and "rl_model_16_steps.zip" in error, error
    assert json.loads((tmp_path / "ppo" / "ToyWaypoint-v0_1" / "config.json").read_text())["n_envs"] == 2


def test_two_runs_at_once_have_a_folder_each_and_a_refused_one_removes_its_own_only(tmp_path, monkeypatch):
    other = tmp_path / "ppo" / "ToyWaypoint-v0_1"
    create = WaypointExperimentManager.create_log_folder

    def another_is_faster(self):
        other.mkdir(parents=True)
        (other / "theirs").touch()
        create(self)

    monkeypatch.setattr(WaypointExperimentManager, "create_log_folder", another_is_faster)
    result = CliRunner().invoke(main, ["train", "-f", str(tmp_path), "-n", "16", *TINY, *FEW, "policy_kwargs:dict(colour=1)"])
    assert result.exit_code == 1
    assert [path.name for path in (tmp_path / "ppo").iterdir()] == [other.name] and (other / "theirs").exists()
