"""``sb3-delta-waypoint train``: refine a planner by reinforcement learning."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import option
from sb3_delta_waypoint.commands.criterion_options import criterion_options
from sb3_delta_waypoint.commands.evaluate import evaluate
from sb3_delta_waypoint.commands.key_value import KEY_VALUE
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import zoo_command


@zoo_command("train")
@option(
    "--sft",
    metavar="FILE|MODULE:CLASS",
    help="The planner to refine: a model.pt that 'sft' wrote, or the import path of a class or function that makes a "
    "torch.nn.Module, such as my_planners:Planner.  [default: the small planner of this package]",
)
@option(
    "--sft-kwargs",
    type=KEY_VALUE,
    multiple=True,
    metavar="KEY:VALUE…",
    help="Arguments of the class that --sft names, such as width:64; several may follow, and it can be repeated.",
)
@option(
    "--delta-hidden-dim",
    type=click.IntRange(min=1),
    metavar="N",
    help="Width of the hidden layers of the residual head.",
)
@option(
    "--max-delta",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Bound of the residual in each coordinate of each waypoint.",
)
@option(
    "--routes",
    metavar="PATH",
    help="Where to drive: an OpenDRIVE map ('Town01.xodr'), or a quoted glob of recorded episodes.  [default: those of the "
    "env, random smooth curvature in ToyWaypoint-v0]",
)
@option(
    "--group-size",
    type=click.IntRange(min=2),
    metavar="N",
    help="GRPO: number of episodes of one scenario that are compared.  [default: as the yaml says]",
)
@criterion_options("What the best model is chosen by", "Envs of others go by reward.")
@option(
    "--max-episodes",
    type=click.IntRange(min=1),
    metavar="N",
    help="End training after N episodes, counted over all envs, if they come before the steps of -n are over.",
)
@option(
    "--eval-after-training",
    is_flag=True,
    help="Evaluate the best model on as many fresh scenarios as --eval-episodes says, into eval_metrics.json.",
)
@trust_option
def train(
    sft: str | None,
    sft_kwargs: tuple[tuple[str, Any], ...],
    delta_hidden_dim: int | None,
    max_delta: float | None,
    routes: str | None,
    group_size: int | None,
    metric: str | None,
    constraints: tuple[str, ...],
    max_episodes: int | None,
    eval_after_training: bool,
    arguments: list[str],
) -> None:
    """Refine a planner by reinforcement learning: rl_zoo3 train, with the envs and the hyperparameters of this package.

    \b
    sb3-delta-waypoint train --sft out/sft/model.pt --eval-after-training
    sb3-delta-waypoint train --algo ppo --routes Town01.xodr -n 2000000 \\
        -params learning_rate:1e-4 n_envs:128

    Ctrl-C and SIGTERM stop training and save the model; the exit code is then 130 or 143.
    """
    if sft is not None and ":" not in sft and not Path(sft).is_file():
        raise FileNotFoundError(f"--sft {sft}: there is no such file; 'sb3-delta-waypoint sft' writes one")
    from sb3_delta_waypoint.evaluation.selection import parse_where

    policy_kwargs: dict[str, Any] = {
        "sft": sft,
        "sft_kwargs": dict(sft_kwargs) or None,
        "delta_hidden_dim": delta_hidden_dim,
        "max_delta": max_delta,
    }
    selection = {"metric": metric, "where": parse_where(constraints) or None}
    from sb3_delta_waypoint import zoo

    manager = zoo.train(
        arguments,
        policy_kwargs={name: value for name, value in policy_kwargs.items() if value is not None},
        env_kwargs={} if routes is None else {"routes": routes},
        hyperparams={} if group_size is None else {"group_size": group_size},
        selection={name: value for name, value in selection.items() if value is not None},
        max_episodes=max_episodes,
    )
    if manager.optimize_hyperparameters:
        return
    if manager.interrupted:
        raise KeyboardInterrupt(f"Interrupted; the model so far is {manager.params_path}.zip")
    if eval_after_training:
        run = Path(manager.save_path)
        selected = run / "best_model.zip"
        click.get_current_context().invoke(
            evaluate,
            model=selected if selected.exists() else Path(f"{manager.params_path}.zip"),
            out=run / "eval_metrics.json",
            env_id=manager.env_name.gym_id,
            env_kwargs=tuple(manager.eval_env_kwargs.items()),
            episodes=manager.n_eval_episodes,
        )
