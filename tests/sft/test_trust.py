"""Whose classes a planner file may name."""

import sys

import pytest
import torch

from sb3_delta_waypoint.sft import trust
from sb3_delta_waypoint.sft.checkpoint import build_planner, load_planner, save_planner
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.sft.trust import UntrustedError, check_trusted, trusting

MODULE = """
from pathlib import Path
from sb3_delta_waypoint.sft.planners import SFTWaypointModel

Path(__file__).with_name("imported").touch()

class Planner(SFTWaypointModel):
    pass

def make():
    return Planner(hidden_dims=(4,))
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A file that names a class of the module ``foreign_planners.inner``, which leaves a mark when it is imported."""
    package = tmp_path / "foreign_planners"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    path = save_planner(SFTWaypointModel(hidden_dims=(4,)), tmp_path / "foreign.pt")
    torch.save({**torch.load(path, weights_only=True), "class": "foreign_planners.inner:Planner"}, path)
    yield path
    for name in ("foreign_planners", "foreign_planners.inner"):
        sys.modules.pop(name, None)


def is_imported(path):
    return (path.parent / "foreign_planners" / "imported").exists()


def test_a_file_may_not_name_the_class_of_any_module(foreign):
    remedy = r"trust=\('foreign_planners.inner',\), --trust foreign_planners.inner or SB3_DELTA_WAYPOINT_TRUST=foreign_"
    with pytest.raises(UntrustedError, match=rf"foreign.pt names 'foreign_planners.inner:Planner', .*{remedy}"):
        load_planner(foreign)
    assert not is_imported(foreign)


@pytest.mark.parametrize("trusted", ["foreign_planners", ("other", "foreign_planners"), ["foreign_planners.inner:Planner"]])
def test_modules_that_the_caller_trusts(foreign, trusted):
    assert type(load_planner(foreign, trust=trusted)).__name__ == "Planner"
    with pytest.raises(UntrustedError):
        load_planner(foreign)


def test_trust_ends_at_the_dot(foreign):
    with pytest.raises(UntrustedError):
        load_planner(foreign, trust=("foreign", "foreign_planners.inn", ""))
    assert not is_imported(foreign)


def test_the_environment_trusts(foreign, monkeypatch):
    monkeypatch.setenv("SB3_DELTA_WAYPOINT_TRUST", "other, foreign_planners")
    assert type(load_planner(foreign)).__name__ == "Planner"


def test_an_import_path_that_was_typed_is_trusted(foreign, monkeypatch):
    monkeypatch.setattr(trust, "_typed", set())
    assert type(load_planner("foreign_planners.inner:make")).__name__ == "Planner"
    assert type(load_planner(foreign)).__name__ == "Planner"


def test_what_this_package_imports_is_not_its_own():
    description = {"class": "sb3_delta_waypoint.sft.checkpoint:nn.Linear", "config": {"in_features": 1, "out_features": 1}}
    with pytest.raises(UntrustedError, match="torch.nn"):
        build_planner(description)
    with trusting("torch.nn"):
        assert build_planner(description).in_features == 1


@pytest.mark.parametrize("named", ["os:system(1)", "os.system", "os:", ":system", "os:path:join", "os: system", "", None])
def test_what_is_no_import_path_is_refused_whatever_is_trusted(named):
    with trusting("os"), pytest.raises(ValueError, match="is not an import path, package.module:class"):
        check_trusted(named, "planner.pt")
