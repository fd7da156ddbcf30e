"""``sb3-delta-waypoint dagger``: a planner, or a residual head on it, trained by a teacher who can be asked."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, env_kwargs_option, option, out_option
from sb3_delta_waypoint.commands.trust_option import trust_option
from sb3_delta_waypoint.zoo.options import ALGORITHM, ALGORITHMS, ENV_HELP, ENV_ID


@command()
@option(
    "--sft",
    metavar="FILE|MODULE:CLASS",
    help="The planner to start from: a model.pt that 'sft' wrote, or an import path such as my_planners:Planner.  [default: "
    "the small planner of this package]",
)
@option(
    "--train",
    "what",
    default="head",
    show_default=True,
    type=click.Choice(["head", "network"]),
    metavar="NAME",
    help="What is trained: the residual head that 'train' refines, on the frozen planner, or the planner's whole network.",
)
@option(
    "--drive",
    default="student",
    show_default=True,
    type=click.Choice(["student", "teacher"]),
    metavar="NAME",
    help="Who drives: the student, or the teacher, which is plain imitation on the same training scenarios.",
)
@option(
    "--teacher-share",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the steps of the first iteration that the teacher drives all the same.",
)
@option("--env", "env_id", default=ENV_ID, show_default=True, metavar="ID", help=ENV_HELP)
@option("--routes", metavar="PATH", help="Where to drive, as in 'train'.  [default: those of the env]")
@env_kwargs_option()
@option("--n-envs", default=128, show_default=True, type=click.IntRange(min=1), help="Scenarios at a time.")
@option("--iterations", default=8, show_default=True, type=click.IntRange(min=1), help="Rounds of driving and fitting.")
@option("--steps", "env_steps", default=400_000, show_default=True, type=click.IntRange(min=1), help="Env steps, over all.")
@option(
    "--gradient-steps", default=1250, show_default=True, type=click.IntRange(min=1), help="Gradient steps in each iteration."
)
@option("--batch-size", default=256, show_default=True, type=click.IntRange(min=1), help="Plans per gradient step.")
@option(
    "--learning-rate",
    default=1e-3,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Adam's, at the first step; it falls to zero along a cosine.",
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
    "--algo",
    default=ALGORITHM,
    show_default=True,
    type=click.Choice(list(ALGORITHMS)),
    metavar="NAME",
    help=f"Algorithm that can go on from the head, by 'train -i': {', '.join(ALGORITHMS)}.",
)
@option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of scenarios, weights and batches.")
@out_option("out/dagger", "Folder for the model (head) or model.pt (network), and dagger.json.")
@trust_option
def dagger(
    sft: str | None,
    what: str,
    env_id: str,
    routes: str | None,
    env_kwargs: tuple[tuple[str, Any], ...],
    n_envs: int,
    delta_hidden_dim: int | None,
    max_delta: float | None,
    algo: str,
    out: Path,
    **settings: Any,
) -> None:
    """
    Train a planner's residual head, or its whole network, by DAgger: the student drives, the teacher, the env's expert, plans
    in every state that it visits, and the student is fitted to all these plans.

    \b
    sb3-delta-waypoint dagger --sft out/sft/model.pt
    sb3-delta-waypoint dagger --sft out/sft/model.pt --train network \\
        --drive teacher --out out/fine_tuned
    sb3-delta-waypoint train --algo grpo -i out/dagger/grpo/ToyWaypoint-v0.zip

    The head is written as a model, <algo>/<env>.zip, which 'evaluate', 'compare' and 'enjoy -f out/dagger --exp-id -1' take.
    Ctrl-C and SIGTERM end the training early and keep what was learnt up to then.
    """
    import copy
    from dataclasses import asdict

    import torch

    from sb3_delta_waypoint.commands.scenario_options import env_kwargs_for
    from sb3_delta_waypoint.dagger import DaggerSettings, HeadLearner, NetworkLearner, train_dagger
    from sb3_delta_waypoint.dagger.learners import Learner
    from sb3_delta_waypoint.dagger.saving import save_model
    from sb3_delta_waypoint.files import write_json
    from sb3_delta_waypoint.policies.delta_policy import DeltaWaypointPolicy
    from sb3_delta_waypoint.policies.inference import WaypointPolicy
    from sb3_delta_waypoint.sft.checkpoint import load_planner, save_planner
    from sb3_delta_waypoint.vec_env import has_native_vec_env, make_waypoint_vec_env

    chosen = DaggerSettings(**settings)
    planner = load_planner(sft)
    kwargs = env_kwargs_for(WaypointPolicy(planner, "cpu"), env_id, routes, env_kwargs)
    given = {"delta_hidden_dim": delta_hidden_dim, "max_delta": max_delta}
    policy_kwargs: dict[str, Any] = {"sft": sft, **{name: value for name, value in given.items() if value is not None}}
    algorithm = ALGORITHMS[algo].load()  # a missing package is said before the training
    # fail before the training, not after it, if the folder cannot be written to
    out.mkdir(parents=True, exist_ok=True)
    # a second thread does not speed up networks this small
    torch.set_num_threads(1)
    venv = make_waypoint_vec_env(env_id, n_envs if has_native_vec_env(env_id) else 1, chosen.seed, **kwargs)
    try:
        if what == "head":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(chosen.seed)
                policy = DeltaWaypointPolicy(venv.observation_space, venv.action_space, lambda _: 0.0, **policy_kwargs)
            learner: Learner = HeadLearner(policy)
        else:
            learner = NetworkLearner(copy.deepcopy(planner))
        result = train_dagger(venv, learner, chosen, progress=True)
    finally:
        venv.close()
    if what == "head":
        path = save_model(policy, algorithm, out / algo / f"{env_id}.zip", env_id, kwargs, policy_kwargs, chosen.seed)
    else:
        path = save_planner(learner.module, out / "model.pt")
    costs = {name: value for name, value in asdict(result).items() if name != "history"}
    described = {"sft": sft, "train": what, "env": env_id, "env_kwargs": kwargs, "settings": asdict(chosen)}
    write_json(out / "dagger.json", {**described, **costs, "history": result.history})
    if result.interrupted:
        click.echo("interrupted: what was learnt so far is kept", err=True)
    click.echo(f"{result.env_steps} env steps, {result.gradient_steps} gradient steps, {result.cpu_seconds:.1f} s of CPU")
    click.echo(f"{path} (and {out / 'dagger.json'})")
