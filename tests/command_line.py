"""The console script, called in this process."""

from click.testing import CliRunner, Result

from sb3_delta_waypoint.cli import main

SHORT = ["--env-kwargs", "route_length:20", "--eval-episodes", "8", "--n-eval-envs", "4"]
"""Options of ``train`` for short episodes, and few of them."""
TINY = ["--algo", "ppo", *SHORT, "--num-threads", "1", "-params", "n_envs:4", "n_steps:32", "batch_size:64", "n_epochs:2"]
"""Options of ``train`` by PPO for rollouts that are short, too."""
GROUPS = ["--algo", "grpo", "--group-size", 4]
FEW_GROUPS = ["-params", "n_envs:4", "n_steps:32", "batch_size:64", "n_epochs:2", "n_groups:1"]
"""As short, for GRPO."""


def call(*arguments: object) -> Result:
    """What the command with these arguments did and said."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def succeeded(*arguments: object) -> str:
    """The output of a command that must succeed."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def failed(result: Result, *said: str) -> None:
    """Assert that a command fails with exit code 1 and one line of error that holds all of ``said``."""
    assert result.exit_code == 1, result.output
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith("Error: ") and "Traceback" not in result.output
    for words in said:
        assert words in error, error
