"""
The options of rl_zoo3's scripts, as shown by ``--help`` and checked on the command line.

rl_zoo3 builds its parsers when it runs, and importing it takes seconds. These tables contain the same options, with the
defaults of this front end; a test compares them with rl_zoo3's parsers.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS

ENV_ID = "ToyWaypoint-v0"
ENV_HELP = "Id of the env; my_module:MyWaypoint-v0 imports my_module, which registers it."
ALGORITHM = next(iter(ALGORITHMS))
LOG_FOLDER = "out/logs"
"""Folder to which ``train`` writes its runs and from which the other commands read them."""


class ZooOption(NamedTuple):
    """One option of a script of rl_zoo3."""

    names: str
    """Names as they are typed, separated by blanks, the long one last."""
    kind: type | tuple[str, ...]
    """``bool`` for a flag, a tuple of choices, ``dict`` for KEY:VALUE, or the type of the value."""
    default: Any
    """Default of rl_zoo3."""
    help: str
    metavar: str = ""
    ours: Any = None
    """Default of this front end, if it differs."""
    values: int = 1
    """Number of values; -1 for one or more."""

    @property
    def flag(self) -> str:
        """The long name."""
        return self.names.split()[-1]


Sections = dict[str, list[ZooOption]]


def _algo(names: str = "--algo", required: bool = False) -> ZooOption:
    text = f"Algorithm of the run: {', '.join(ALGORITHMS)}, or another one of rl_zoo3's."
    return ZooOption(names, str, None if required else "ppo", text, "NAME", ALGORITHM)


def _env(text: str = ENV_HELP, names: str = "--env", several: bool = False) -> ZooOption:
    if several:
        return ZooOption(names, str, None, text, "ID…", [ENV_ID], -1)
    return ZooOption(names, str, "CartPole-v1", text, "ID", ENV_ID)


_ENV_KWARGS = ZooOption(
    "--env-kwargs",
    dict,
    None,
    "Arguments of the env, such as route_length:200, beside those of the yaml; several may follow, and it can be repeated.",
    "KEY:VALUE…",
    values=-1,
)
_GYM_PACKAGES = ZooOption(
    "--gym-packages", str, [], "Modules to import first, which register envs of others.", "MODULE…", values=-1
)
_DEVICE = ZooOption("--device", str, "auto", "Where to compute: cpu, cuda, …; auto takes cuda where there is one.", "NAME")
_THREADS = ZooOption("--num-threads", int, -1, "Threads of PyTorch; -1: as many as it likes.", "N")
_PROGRESS = ZooOption("-P --progress", bool, False, "Show a progress bar.")
_VERBOSE = ZooOption("--verbose", int, 1, "How much to say: 0 nothing, 1 what happens, 2 more.", "N")

TRAIN: Sections = {
    "Run": [
        _algo()._replace(help=f"Algorithm: {', '.join(ALGORITHMS)}; for envs of others, any of rl_zoo3's."),
        _env(),
        _ENV_KWARGS._replace(
            help="Arguments of the env, such as route_length:200, beside those of the yaml; several may follow, and it can be "
            "repeated. They hold for evaluations, too, unless --eval-env-kwargs are given.",
        ),
        ZooOption("-n --n-timesteps", int, -1, "Env steps to train for; -1: as many as the yaml says.", "STEPS"),
        ZooOption(
            "-f --log-folder",
            str,
            "logs",
            "Folder of all runs; this one is written into <algorithm>/<env>_<number> in it.",
            "FOLDER",
            LOG_FOLDER,
        ),
        ZooOption(
            "-i --trained-agent",
            str,
            "",
            "Go on with this model (.zip) instead of a new one. What it has learnt before counts towards the warm-up of its "
            "critic, which does not begin again.",
            "FILE",
        ),
        ZooOption("--seed", int, -1, "Seed of everything random; -1: a random one.", "N"),
        ZooOption(
            "--vec-env",
            ("dummy", "subproc"),
            "dummy",
            "How envs run side by side: dummy in this process, all cars at once where the env can; subproc in a process each.",
        ),
        _DEVICE,
        _THREADS,
        _PROGRESS,
        _VERBOSE,
        ZooOption("-tb --tensorboard-log", str, "", "Folder for TensorBoard's files.  [default: none are written]", "FOLDER"),
        ZooOption(
            "--log-interval",
            int,
            -1,
            "Rollouts from one table of training statistics to the next; -1: as the algorithm likes, -2: no tables.",
            "N",
        ),
        ZooOption("-uuid --uuid", bool, False, "Add a unique id to the name of the run's folder."),
        _GYM_PACKAGES,
    ],
    "Hyperparameters": [
        ZooOption(
            "-conf --conf-file",
            str,
            None,
            "Hyperparameters by env: a .yml or .py file, or a module.  [default: those of this package, else rl_zoo3's]",
            "FILE",
        ),
        ZooOption(
            "-params --hyperparams",
            dict,
            None,
            "Hyperparameters to set, such as learning_rate:1e-4 n_envs:128, on top of those of the file.",
            "KEY:VALUE…",
            values=-1,
        ),
    ],
    "Evaluation and checkpoints": [
        ZooOption("--eval-freq", int, 25000, "Env steps from one evaluation to the next; negative: none.", "STEPS"),
        ZooOption("--eval-episodes", int, 5, "Episodes of each evaluation.", "N", 256),
        ZooOption("--n-eval-envs", int, 1, "Episodes that are driven at a time.", "N", 64),
        _ENV_KWARGS._replace(
            names="--eval-env-kwargs", help="Arguments of the env in evaluations.  [default: those of training]"
        ),
        ZooOption(
            "--save-freq",
            int,
            -1,
            "Env steps from one checkpoint to the next, in the run's folder checkpoints/; negative: none.",
            "STEPS",
            50000,
        ),
        ZooOption("--save-replay-buffer", bool, False, "Save the replay buffer, too (off-policy algorithms)."),
        ZooOption(
            "--truncate-last-trajectory",
            str,
            True,
            "Cut off the last trajectory of a replay buffer that is loaded (HER); '' for no.",
            "YES",
        ),
    ],
    "Tuning": [
        ZooOption(
            "-optimize --optimize-hyperparameters", bool, False, "Search hyperparameters by Optuna instead of training once."
        ),
        ZooOption("--n-trials", int, 500, "Trials of this process.", "N"),
        ZooOption("--max-total-trials", int, None, "Trials of all processes together; takes precedence over --n-trials.", "N"),
        ZooOption("--n-jobs", int, 1, "Trials at a time, in threads; -1: one per processor.", "N"),
        ZooOption("--sampler", ("random", "tpe", "auto"), "tpe", "How trials are chosen."),
        ZooOption("--pruner", ("halving", "median", "none"), "median", "How trials are given up early."),
        ZooOption("--n-startup-trials", int, 10, "Random trials before the sampler begins.", "N"),
        ZooOption("--n-evaluations", int, None, "Evaluations of each trial.  [default: one per 100,000 steps]", "N"),
        ZooOption(
            "--optimization-log-path",
            str,
            None,
            "Folder for evaluations and best model of each trial.  [default: they are not kept]",
            "FOLDER",
        ),
        ZooOption("--storage", str, None, "Database, or log file, that several processes share.", "URL"),
        ZooOption("--study-name", str, None, "Name of the study in it.", "NAME"),
        ZooOption("--trial-id", int, None, "Train with the hyperparameters of this trial of the study.", "N"),
        ZooOption("--no-optim-plots", bool, False, "Draw no plots of the search."),
    ],
    "Weights & Biases": [
        ZooOption("--track", bool, False, "Track the run there."),
        ZooOption("--wandb-project-name", str, "sb3", "Project.", "NAME"),
        ZooOption("--wandb-entity", str, None, "Team.", "NAME"),
        ZooOption("--wandb-group", str, None, "Group of runs.", "NAME"),
        ZooOption("-tags --wandb-tags", str, [], "Tags of the run.", "TAG…", values=-1),
    ],
}

_MODEL = [
    _algo(),
    _env(),
    ZooOption("-f --folder", str, "rl-trained-agents", "Folder of all runs.", "FOLDER", LOG_FOLDER),
    ZooOption("--exp-id", int, 0, "Number of the run; 0: the latest.", "N"),
    ZooOption("--load-best", bool, False, "Take the best model of the run, not the last."),
    ZooOption("--load-checkpoint", int, None, "Take the checkpoint after this many env steps.", "STEPS"),
    ZooOption("--load-last-checkpoint", bool, False, "Take the last checkpoint."),
    ZooOption(
        "--custom-objects", bool, False, "Accepted as rl_zoo3 accepts it; on supported versions of Python it changes nothing."
    ),
]
_DRIVE = [
    ZooOption("-n --n-timesteps", int, 1000, "Env steps.", "STEPS"),
    ZooOption("--n-envs", int, 1, "Envs side by side.", "N"),
    _ENV_KWARGS._replace(
        help="Arguments of the env, such as route_length:200, beside those of the run; several may follow, and it can be "
        "repeated."
    ),
    ZooOption("--deterministic", bool, False, "Take the most likely action, as is the default but for Atari and MiniGrid."),
    ZooOption("--stochastic", bool, False, "Draw actions, as in training."),
    ZooOption("--seed", int, 0, "Seed of the env and of drawn actions.", "N"),
    ZooOption("--no-render", bool, False, "Open no window."),
]

ENJOY: Sections = {
    "Model": _MODEL,
    "Drive": [
        *_DRIVE,
        ZooOption("--norm-reward", bool, False, "Normalise rewards as in training, where that did."),
        ZooOption("--reward-log", str, "", "Folder for a log of the rewards.  [default: none is written]", "FOLDER"),
        _DEVICE,
        _THREADS,
        _PROGRESS,
        _VERBOSE,
        _GYM_PACKAGES,
    ],
}

RECORD_VIDEO: Sections = {
    "Model": _MODEL,
    "Video": [
        ZooOption("-o --output-folder", str, None, "Folder for the video.  [default: videos/ in the run's folder]", "FOLDER"),
        *(
            option._replace(help="Draw nothing but what the video needs.") if option.flag == "--no-render" else option
            for option in _DRIVE
        ),
    ],
}

_MAX_TIMESTEPS = ZooOption("-max --max-timesteps", int, None, "Last env step to show.", "STEPS")

PLOT_TRAIN: Sections = {
    "Runs": [
        _algo("-a --algo", required=True),
        _env("Ids of the envs.", "-e --env", several=True),
        ZooOption("-f --exp-folder", str, None, "Folder of all runs.", "FOLDER", LOG_FOLDER),
    ],
    "Picture": [
        ZooOption("-x --x-axis", ("steps", "episodes", "time"), "steps", "What runs along: env steps, episodes, or hours."),
        ZooOption("-y --y-axis", ("success", "reward", "length"), "reward", "What is shown of the episodes."),
        ZooOption("-w --episode-window", int, 100, "Episodes of the moving average.", "N"),
        _MAX_TIMESTEPS,
        ZooOption("--figsize", int, [6.4, 4.8], "Width and height in inches.", "W H", values=2),
        ZooOption("--fontsize", int, 14, "Size of the letters.", "POINTS"),
    ],
}

ALL_PLOTS: Sections = {
    "Runs": [
        ZooOption("-a --algos", str, None, "Algorithms.  [default: all that have runs there]", "NAME…", values=-1),
        _env("Ids of the envs.", "-e --env", several=True),
        ZooOption("-f --exp-folders", str, None, "Folders of all runs.", "FOLDER…", [LOG_FOLDER], -1),
        ZooOption("-l --labels", str, None, "A label for each folder.  [default: its path]", "LABEL…", values=-1),
        ZooOption("-min --min-timesteps", int, -1, "Leave out runs with fewer env steps; -1: none.", "STEPS"),
    ],
    "Plot and table": [
        ZooOption("-k --key", str, "results", "What to show: results (the reward), successes, ep_lengths.", "NAME"),
        _MAX_TIMESTEPS._replace(default=2000000),
        ZooOption("-median --median", bool, False, "Medians over runs in the table, not means."),
        ZooOption("--no-million", bool, False, "Count env steps one by one, not in millions."),
        ZooOption("--no-display", bool, False, "Show no plot."),
        ZooOption("-print --print-n-trials", bool, False, "Say how many runs there are of each algorithm."),
        ZooOption("-o --output", str, None, "Write the numbers to this pickle file (.pkl is added).", "FILE"),
    ],
}

SCRIPTS: Mapping[str, Sections] = {
    "train": TRAIN,
    "enjoy": ENJOY,
    "record_video": RECORD_VIDEO,
    "plot_train": PLOT_TRAIN,
    "all_plots": ALL_PLOTS,
}
"""Options of each script, by the heading under which ``--help`` shows them."""


def defaults(script: str) -> list[str]:
    """
    Return the defaults of this front end that differ from rl_zoo3's.

    :param script: name of the script
    :return: command-line arguments
    """
    options = [option for section in SCRIPTS[script].values() for option in section if option.ours is not None]
    return [word for option in options for word in as_arguments(option, option.ours)]


def as_arguments(option: ZooOption, value: Any) -> list[str]:
    """
    Return the command-line arguments of an option for rl_zoo3.

    :param option: the option
    :param value: its value; a mapping for KEY:VALUE, a sequence for several values
    :return: command-line arguments; none for a flag that is not set
    """
    if option.kind is bool:
        return [option.flag] if value else []
    if option.kind is dict:
        # rl_zoo3 evaluates the values
        return [option.flag, *(f"{key}:{item!r}" for key, item in value.items())]
    return [option.flag, *map(str, value if option.values != 1 else [value])]
