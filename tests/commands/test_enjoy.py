"""``enjoy``: what a user types and sees."""

import pytest

pytest.importorskip("rl_zoo3")

from tests.command_line import call, failed, succeeded


def test_enjoy(logs):
    output = succeeded("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", "--no-render", "-n", 150)
    assert "best_model.zip" in output and "Success rate" in output
    output = succeeded("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-last-checkpoint", "--no-render", "-n", 2)
    assert "checkpoints/rl_model_800_steps.zip" in output
    output = succeeded("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-checkpoint", 400, "--no-render", "-n", 2)
    assert "checkpoints/rl_model_400_steps.zip" in output
    failed(
        call("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-checkpoint", 7, "--no-render"),
        "after 7 steps",
        "400, 800",
    )
    slow = ("--no-render", "-n", 2, "--env-kwargs", "plan_dt:0.2")
    failed(call("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 1, "--load-best", *slow), "plan_dt=0.1 s", "plan_dt=0.2 s")
    failed(call("enjoy", "--algo", "ppo", "-f", logs, "--exp-id", 99, "--no-render"), "ToyWaypoint-v0_99 folder was not found")
