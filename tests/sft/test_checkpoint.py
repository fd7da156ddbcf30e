"""A planner's file, and finding a planner."""

import sys
import textwrap
import zipfile

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import PPO
from torch import nn

from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.sft.trust import UntrustedError

OBSERVATION = {"state": torch.rand(2, 4), "route": torch.rand(2, 10, 2)}


@pytest.fixture
def planner():
    model = SFTWaypointModel(horizon_steps=5, hidden_dims=(8,))
    model.residual_std.fill_(0.25)
    model.state_mean.fill_(1.5)
    return model


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A user's module on the import path."""
    (tmp_path / "own_planners.py").write_text(
        textwrap.dedent(
            """
            from torch import nn

            class Planner(nn.Module):
                horizon_steps = 5

                def __init__(self, width=3):
                    super().__init__()
                    self.width, self.layer = width, nn.Linear(4, width)

                def config(self):
                    return {"width": self.width}

            class NeedsArguments(Planner):
                def __init__(self, width, *more, **others):
                    super().__init__(width)

            class WithoutHorizon(nn.Module):
                pass

            instance = Planner(width=7)
            text = "planner"

            def make():
                return Planner(width=9)
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_planners"
    sys.modules.pop("own_planners", None)


def test_save_and_load(tmp_path, planner):
    path = save_planner(planner, tmp_path / "folder" / "model.pt")
    loaded = load_planner(path)
    assert loaded.config() == planner.config()
    assert not loaded.training
    for name, tensor in planner.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert torch.equal(loaded(OBSERVATION)[1], planner(OBSERVATION)[1])
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


def test_the_file_loads_with_weights_only(tmp_path, planner):
    content = torch.load(save_planner(planner, tmp_path / "model.pt"), weights_only=True)
    assert set(content) == {"format", "class", "config", "state_dict"}


def test_an_object_is_returned_as_it_is(planner):
    assert load_planner(planner) is planner


def test_by_import_path(own_module):
    assert load_planner(f"{own_module}:instance").width == 7
    assert load_planner(f"{own_module}:Planner").width == 3
    assert load_planner(f"{own_module}:make").width == 9


def test_a_class_of_the_user_is_saved_and_loaded(tmp_path, own_module):
    path = save_planner(load_planner(f"{own_module}:make"), tmp_path / "own.pt")
    assert load_planner(path).width == 9


def test_a_class_of_a_script_is_saved_with_a_warning_and_refused_elsewhere(tmp_path, own_module, monkeypatch):
    planner = load_planner(f"{own_module}:make")
    monkeypatch.setattr(type(planner), "__module__", "__main__")
    with pytest.warns(UserWarning, match="own.pt names the class __main__:Planner, .*: move the class into a module"):
        path = save_planner(planner, tmp_path / "own.pt")
    with pytest.raises(
        UntrustedError, match="'__main__:Planner', a class of the script that wrote it: move the class"
    ) as caught:
        load_planner(path)
    assert "--trust" not in str(caught.value)
    monkeypatch.setattr(sys.modules["__main__"], "Planner", type(planner), raising=False)
    assert load_planner(path, trust="__main__").width == 9  # the script itself can


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("absent", "'own_planners' has no 'absent'"),
        ("text", "is a str; expected a torch.nn.Module"),
        ("NeedsArguments", "cannot be built with no arguments: missing .* argument: 'width'"),
        ("WithoutHorizon", "needs the attribute horizon_steps"),
    ],
)
def test_an_import_path_that_leads_to_no_planner(own_module, attribute, said):
    with pytest.raises(ValueError, match=said):
        load_planner(f"{own_module}:{attribute}")


def test_an_import_path_to_no_module():
    with pytest.raises(ValueError, match="cannot import 'no_such_package.module'.*PYTHONPATH"):
        load_planner("no_such_package.module:Planner")


def test_objects_that_are_not_planners():
    with pytest.raises(ValueError, match="planner 'Linear' needs the attribute horizon_steps"):
        load_planner(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("plan_dt", "fast", "plan_dt is 'fast'; expected a positive number of seconds"),
        ("plan_dt", -0.1, "plan_dt is -0.1; expected a positive"),
        ("observation_keys", 3, "observation_keys is 3; expected names"),
        ("observation_keys", "state", "observation_keys is 'state'; expected names, such as"),
        ("observation_keys", ("state", None), r"observation_keys is \('state', None\)"),
        ("residual_std", "a", r"residual_std is 'a'; expected \(5, 2\)"),
        ("residual_std", torch.ones(3), r"residual_std has the shape \(3,\); expected \(5, 2\)"),
        ("residual_std", torch.full((5, 2), torch.nan), r"residual_std holds \[nan, .*; expected \(5, 2\), finite numbers"),
        ("residual_std", torch.full((5, 2), -1.0), r"residual_std holds \[-1.0, "),
    ],
)
def test_attributes_that_make_no_sense(own_module, attribute, value, said):
    planner = load_planner(f"{own_module}:Planner")
    setattr(planner, attribute, value)
    with pytest.raises(ValueError, match=f"planner 'Planner': {said}"):
        load_planner(planner)


def test_what_a_planner_need_not_say(own_module):
    planner = load_planner(f"{own_module}:Planner")
    planner.observation_keys, planner.residual_std = ["state"], None
    assert load_planner(planner) is planner


def test_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no planner file .*none.pt"):
        load_planner(tmp_path / "none.pt")


def test_a_stable_baselines3_model_is_not_a_planner(tmp_path):
    PPO("MlpPolicy", gym.make("CartPole-v1"), n_steps=8, batch_size=8, device="cpu").save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="model.zip is a Stable-Baselines3 model; expected a planner"):
        load_planner(tmp_path / "model.zip")


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 cut off"])
def test_damaged_files(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ValueError, match="model.pt is not a planner file, or is damaged"):
        load_planner(tmp_path / "model.pt")


class Harmful:
    """What runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_runs_no_code(tmp_path, planner):
    path = save_planner(planner, tmp_path / "model.pt")
    torch.save({**torch.load(path, weights_only=True), "extra": Harmful(tmp_path / "ran")}, path)
    with pytest.raises(ValueError, match="model.pt is not a planner file, or is damaged"):
        load_planner(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{"weights": torch.zeros(1)}, [1, 2], nn.Linear(1, 1).state_dict()])
def test_other_torch_files(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="model.pt is not a planner file: it lacks format"):
        load_planner(tmp_path / "model.pt")


def nested(width, depth):
    """``width ** depth`` values that share their memory."""
    value = 8
    for _ in range(depth):
        value = [value] * width
    return value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"class": "sb3_delta_waypoint.files:write_atomically"}, "'sb3_delta_waypoint.files:write_atomically' is not a torch"),
        ({"class": ["sb3_delta_waypoint.sft.planner:SFTWaypointModel"]}, "is not an import path"),
        ({"class": "sb3_delta_waypoint.sft.planner:Gone"}, "has no 'Gone'"),
        ({"config": {"horizon_steps": 6, "hidden_dims": [8]}}, "size mismatch"),
        ({"config": {"depth": 3}}, "'depth'"),
        ({"config": [3]}, r"config is \[3\], expected arguments by name"),
        ({"config": {"horizon_steps": 5, "plan_dt": float("nan")}}, "plan_dt=nan"),
        ({"config": {"horizon_steps": 5, "plan_dt": 10**400}}, "plan_dt=1000"),
        # some terabytes: refused before they are asked for
        ({"config": {"horizon_steps": 5, "hidden_dims": [10**6, 10**6]}}, "asks for 4,00.* bytes of tensors, the file"),
        ({"config": {"horizon_steps": 5, "hidden_dims": [10**40]}}, "Overflow"),
        ({"config": {"horizon_steps": 5, "hidden_dims": nested(10, 12)}}, "it holds more than 100,000 values"),
        (
            {"state_dict": {"one": torch.zeros(1).expand(10**6, 10**6)}},
            "4,000,000,000,000 bytes, .* times the size of the file",
        ),
        ({"state_dict": [1]}, "state_dict is not a dictionary of tensors"),
    ],
)
def test_files_that_do_not_fit_this_version(tmp_path, planner, change, said):
    path = save_planner(planner, tmp_path / "model.pt")
    torch.save({**torch.load(path, weights_only=True), **change}, path)
    with pytest.raises(ValueError, match=f"(?s)model.pt does not fit this version of the planner: .*{said}"):
        load_planner(path)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
def test_what_is_handed_over_in_another_way_is_told_so(tmp_path, planner):
    torch.save(planner, tmp_path / "whole.pt")
    with pytest.raises(ValueError, match="whole.pt .* holds a pickled .*SFTWaypointModel, .*save_planner.*import path"):
        load_planner(tmp_path / "whole.pt")
    torch.jit.script(nn.Linear(1, 1)).save(tmp_path / "script.pt")
    with pytest.raises(ValueError, match="script.pt is a TorchScript module, not a planner file: .*import path"):
        load_planner(tmp_path / "script.pt")


def test_a_compressed_file_is_refused(tmp_path, planner):
    path = save_planner(planner, tmp_path / "model.pt")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in archive.namelist():
            bomb.writestr(name, archive.read(name))
    with pytest.raises(ValueError, match="bomb.pt: .* is compressed"):
        load_planner(tmp_path / "bomb.pt")


def test_saving_what_cannot_be_built_again(tmp_path):
    with pytest.raises(ValueError, match="a Linear cannot be saved: it lacks config()"):
        save_planner(nn.Linear(2, 2), tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []
