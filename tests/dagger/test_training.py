"""DAgger: it learns from its teacher, in the states that the student visits, the same way by the same seed."""

import copy

import numpy as np
import pytest
import torch

from sb3_delta_waypoint.dagger import DaggerSettings, HeadLearner, NetworkLearner, train_dagger
from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
from sb3_delta_waypoint.policies.inference import WaypointPolicy
from sb3_delta_waypoint.sft.planners import SFTWaypointModel
from sb3_delta_waypoint.vec_env import make_waypoint_vec_env

H = 5
KWARGS = {"horizon_steps": H, "route_length": 30}
SHORT = {"iterations": 3, "env_steps": 16 * 3 * 40, "gradient_steps": 60, "batch_size": 64, "learning_rate": 3e-3}


def planner(seed=0):
    torch.manual_seed(seed)
    return SFTWaypointModel(horizon_steps=H, hidden_dims=(32,))


def venv():
    return make_waypoint_vec_env(n_envs=16, **KWARGS)


def head(planner, seed=0):
    torch.manual_seed(seed)
    envs = venv()
    return HeadLearner(DeltaWaypointPolicy(envs.observation_space, envs.action_space, lambda _: 0.0, sft=planner))


def learner(what):
    return head(planner()) if what == "head" else NetworkLearner(planner())


@pytest.mark.parametrize("drive", ["student", "teacher"])
@pytest.mark.parametrize("what", ["head", "network"])
def test_the_student_comes_closer_to_its_teacher(what, drive):
    student = learner(what)
    result = train_dagger(venv(), student, DaggerSettings(**SHORT, drive=drive))
    errors = [row["ade"] for row in result.history]
    assert errors[-1] < 0.5 * errors[0]
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert (result.env_steps, result.gradient_steps) == (16 * 3 * 40, 180) and result.cpu_seconds > 0.0
    assert [row["env_steps"] for row in result.history] == [640, 1280, 1920] and not result.interrupted
    assert not student.module.training


def test_who_drives_decides_what_is_seen():
    """An untrained student leaves the route soon; its teacher reaches the goal."""
    one = SHORT | {"iterations": 1, "env_steps": 16 * 120}
    by_student, by_teacher, mixed = (
        train_dagger(venv(), learner("network"), DaggerSettings(**one, **who)).history[0]["success_rate"]
        for who in ({}, {"drive": "teacher"}, {"teacher_share": 1.0})
    )
    assert by_student < 0.5 and by_teacher == 1.0 == mixed


def test_a_head_leaves_its_planner_alone():
    sft = planner()
    before = copy.deepcopy(sft.state_dict())
    student = head(sft)
    others = {n: p.clone() for n, p in student.policy.named_parameters() if not n.startswith("delta_net")}
    train_dagger(venv(), student, DaggerSettings(**SHORT))
    for name, values in student.policy.features_extractor.planner.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0)
    for name, values in others.items():
        torch.testing.assert_close(dict(student.policy.named_parameters())[name], values, rtol=0, atol=0)
    # what was fitted is what drives
    observation = venv().reset()
    plans = student.plans(student.columns(observation)).detach().numpy()
    np.testing.assert_allclose(WaypointPolicy(student.policy, "cpu")(observation), plans, atol=1e-6)
    assert np.abs(plans - WaypointPolicy(sft, "cpu")(observation)).max() > 0.05


@pytest.mark.parametrize("what", ["head", "network"])
def test_the_seed_decides_everything(what):
    def weights(seed):
        student = learner(what)
        train_dagger(venv(), student, DaggerSettings(**SHORT | {"gradient_steps": 5}, seed=seed, teacher_share=0.5))
        return torch.cat([values.flatten() for values in student.module.parameters()])

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = weights(1)
    torch.rand(3)
    assert torch.equal(first, weights(1)) and not torch.equal(first, weights(2))
    torch.set_rng_state(state)


def test_a_planner_keeps_the_size_of_its_errors():
    student = learner("network")
    result = train_dagger(venv(), student, DaggerSettings(**SHORT))
    # of the order of its displacement, where an untrained one does not know
    assert 0.0 < student.module.residual_std.square().mean().sqrt() < result.history[-1]["ade"] * 2.0


def test_an_interrupt_keeps_what_was_learnt():
    student = learner("network")
    before = torch.cat([values.flatten() for values in student.module.parameters()]).clone()
    forward, calls = student.plans, []

    def interrupted(columns):
        calls.append(len(columns[0]))
        if len(calls) == 150:
            raise KeyboardInterrupt
        return forward(columns)

    student.plans = interrupted
    result = train_dagger(venv(), student, DaggerSettings(**SHORT))
    assert result.interrupted and len(result.history) == 1 and 640 < result.env_steps < 1920
    assert not torch.equal(before, torch.cat([values.flatten() for values in student.module.parameters()]))
    assert not student.module.training


def test_what_cannot_be_trained():
    with pytest.raises(ValueError, match="47 env steps are too few for 3 iterations of 16 envs: use at least 48"):
        train_dagger(venv(), learner("network"), DaggerSettings(**SHORT | {"env_steps": 47}))
    with pytest.raises(ValueError, match="drive='nobody'; accepted are 'student', 'teacher'"):
        DaggerSettings(drive="nobody")
    for name, value in (("iterations", 0), ("learning_rate", 0.0), ("teacher_share", 1.5), ("gradient_steps", 0)):
        with pytest.raises(ValueError, match=f"{name} is "):
            DaggerSettings(**{name: value})
    deaf = venv()
    deaf.env_method = lambda name: getattr(deaf, "nothing")  # noqa: B009
    with pytest.raises(ValueError, match=r"no expert_plan\(\), which DAgger asks"):
        train_dagger(deaf, learner("network"), DaggerSettings(**SHORT))
