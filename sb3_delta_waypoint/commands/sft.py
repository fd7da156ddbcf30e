"""``sb3-delta-waypoint sft``: training of a planner by behaviour cloning."""

from pathlib import Path
from typing import Any

import click

from sb3_delta_waypoint.commands.command import command, option, out_option
from sb3_delta_waypoint.commands.key_value import KEY_VALUE


class Widths(click.ParamType):
    """A parameter type for comma-separated positive integers."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            widths = tuple(int(part) for part in value.split(","))
        except ValueError:
            widths = ()
        if not widths or min(widths) < 1:
            self.fail(f"'{value}' is not a list of layer widths such as 128,128", param, ctx)
        return widths


@command()
@option(
    "--episodes-glob",
    required=True,
    metavar="GLOB",
    help="Episode files, quoted: 'out/episodes/**/*.json'; ** goes through all folders below.",
)
@option("--num-steps", default=2000, show_default=True, type=click.IntRange(min=1), help="Gradient steps.")
@option("--batch-size", default=256, show_default=True, type=click.IntRange(min=1), help="Frames per step.")
@option(
    "--learning-rate",
    default=1e-3,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Adam's, at the first step; it falls to zero along a cosine.",
)
@option(
    "--planner",
    metavar="NAME|MODULE:CLASS",
    help="The planner: mlp; attention or pooled, which see other road users; or a class of your own by its import path.  "
    "[default: mlp]",
)
@option(
    "--planner-kwargs",
    multiple=True,
    type=KEY_VALUE,
    metavar="KEY:VALUE…",
    help="Further arguments of its class, such as width:64 or \"groups:('state','route','signal')\"; several may follow, and "
    "it can be repeated.",
)
@option(
    "--hidden-dims",
    type=Widths(),
    help="Widths of the planner's hidden layers: --planner-kwargs hidden_dims:(…).  [default: 128,128]",
)
@option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of weights, split and batches.")
@option(
    "--validation-fraction",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the episodes that is held out; with fewer than 5 episodes, share of the frames.",
)
@option("--skip-invalid", is_flag=True, help="Go on after a broken episode file, and list those skipped.")
@option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Where to compute: cpu, cuda, …; auto takes cuda where there is one.",
)
@out_option("out/sft", "Folder for model.pt, config.json, metrics.json and loss.png.")
def sft(
    episodes_glob: str,
    planner: str | None,
    planner_kwargs: tuple[tuple[str, Any], ...],
    hidden_dims: tuple[int, ...] | None,
    skip_invalid: bool,
    device: str,
    out: Path,
    **settings: Any,
) -> None:
    """
    Train a planner on demonstrations by behaviour cloning.

    \b
    sb3-delta-waypoint sft --episodes-glob 'out/episodes/*.json'
    sb3-delta-waypoint sft --episodes-glob 'out/episodes/*.json' \\
        --planner my_module:MyPlanner --planner-kwargs width:64

    Keeps the weights with the lowest displacement error (ADE) on held-out data. Ctrl-C and SIGTERM end the training early and
    keep the best weights up to then.
    """
    import torch

    from sb3_delta_waypoint.devices import find_device
    from sb3_delta_waypoint.episodes.reader import read_episodes
    from sb3_delta_waypoint.sft.planners import SFTWaypointModel
    from sb3_delta_waypoint.sft.planners.finding import planner_class
    from sb3_delta_waypoint.sft.training import save_run, train_sft

    kwargs = dict(planner_kwargs)
    if hidden_dims is not None:
        kwargs["hidden_dims"] = hidden_dims
    try:
        torch_device = find_device(device)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--device") from error
    if planner is not None:
        planner_class(planner)  # what cannot be found is said before any file is read
    episodes, skipped = read_episodes(episodes_glob, skip_invalid=skip_invalid, progress=True)
    for problem in skipped:
        click.echo(f"skipped: {problem}", err=True)
    if not episodes:
        raise click.ClickException(f"none of the {len(skipped)} files that match '{episodes_glob}' is a valid episode")
    # fail before the training, not after it, if the folder cannot be written to
    out.mkdir(parents=True, exist_ok=True)
    # a second thread does not speed up a network this small
    torch.set_num_threads(1)
    result = train_sft(
        episodes, planner=planner or SFTWaypointModel, planner_kwargs=kwargs, device=torch_device, progress=True, **settings
    )
    model_path = save_run(result, out)
    metrics, data = result.metrics, result.config["data"]
    if result.interrupted:
        click.echo("interrupted: the best weights so far are kept", err=True)
    click.echo(
        f"{data['episodes']} episodes, {data['frames']} frames, {data['held_out_frames']} held out: "
        f"ADE {metrics['validation_ade']:.3f} m, FDE {metrics['validation_fde']:.3f} m at step {metrics['step']}"
    )
    click.echo(f"{model_path} (and config.json, metrics.json, loss.png beside it)")
