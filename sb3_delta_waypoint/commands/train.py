"""``sb3-delta-waypoint train``: refine a planner by reinforcement learning."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.evaluate import evaluate
from sb3_delta_waypoint.commands.key_value import key_and_value
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.commands.zoo_command import ALGORITHMS, zoo_command
from sb3_delta_waypoint.evaluation.selection import DEFAULT_METRIC


@zoo_command("train")
@click.option(
    "--algo",
    default="ppo",
    show_default=True,
    metavar="NAME",
    help=f"Algorithm: {', '.join(ALGORITHMS)}; for envs that are not of this package, any of rl_zoo3's.",
)
@click.option(
    "--sft",
    metavar="PATH",
    help="The planner to refine: a model.pt, or the import path of a planner or its class, my_module:MyPlanner.  "
    "[default: the small one of this package]",
)
@click.option(
    "--sft-kwargs",
    multiple=True,
    metavar="KEY:VALUE",
    help="Arguments of the class that --sft names, such as width:64; can be repeated.",
)
@click.option(
    "--delta-hidden-dim", type=click.IntRange(min=1), metavar="N", help="Width of the residual head's hidden layers."
)
@click.option(
    "--max-delta",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Bound of the residual in each coordinate of each waypoint.",
)
@click.option("--routes", metavar="PATH", help="Where to drive: an OpenDRIVE map, or a quoted glob of recorded episodes.")
@click.option(
    "--group-size", type=click.IntRange(min=2), metavar="N", help="GRPO: episodes of one scenario that are compared."
)
@click.option(
    "--metric",
    help="What the best model is chosen by: success_rate, ade, fde, route_completion, episode_reward, … In a tie route "
    "completion decides, then lateral deviation, then the earliest; other envs than the waypoint envs go by reward.  "
    f"[default: {DEFAULT_METRIC}]",
)
@click.option(
    "--where", "constraints", multiple=True, metavar="CONSTRAINT", help="Such as 'success_rate>=0.9'; can be repeated."
)
@click.option(
    "--max-episodes",
    type=click.IntRange(min=1),
    metavar="N",
    help="End training after N episodes, counted over all envs, or after -n (else the yaml's n_timesteps) steps, whichever "
    "comes first.",
)
@click.option(
    "--eval-after-training",
    is_flag=True,
    help="Evaluate the selected model on fresh scenarios, as many as --eval-episodes says, into eval_metrics.json.",
)
@trust_option
def train(
    algo: str,
    sft: str | None,
    sft_kwargs: tuple[str, ...],
    delta_hidden_dim: int | None,
    max_delta: float | None,
    routes: str | None,
    group_size: int | None,
    metric: str | None,
    constraints: tuple[str, ...],
    max_episodes: int | None,
    eval_after_training: bool,
    arguments: tuple[str, ...],
) -> None:
    """Refine a planner by reinforcement learning: rl_zoo3 train, with the envs and the hyperparameters of this package.

    \b
    sb3-delta-waypoint train --algo ppo --sft out/sft/model.pt --eval-after-training --eval-episodes 1000
    sb3-delta-waypoint train --algo grpo --group-size 16 --routes Town01.xodr -n 2000000 -params learning_rate:1e-4 n_envs:128

    Other defaults than rl_zoo3's: --env ToyWaypoint-v0, --eval-episodes 256 on --n-eval-envs 64, --save-freq 50000 (into the
    run's folder checkpoints/). Ctrl-C and SIGTERM stop training and save the model; the exit code is then 130 or 143.
    """
    from sb3_delta_waypoint import zoo
    from sb3_delta_waypoint.evaluation.selection import parse_where

    policy_kwargs: dict[str, Any] = {
        "sft": sft,
        "sft_kwargs": dict(key_and_value(text, "--sft-kwargs") for text in sft_kwargs) or None,
        "delta_hidden_dim": delta_hidden_dim,
        "max_delta": max_delta,
    }
    selection = {"metric": metric, "where": parse_where(constraints) or None}
    manager = zoo.train(
        ["--algo", algo, *arguments],
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
            env_kwargs=tuple(f"{name}:{value!r}" for name, value in manager.eval_env_kwargs.items()),
            episodes=manager.n_eval_episodes,
        )
