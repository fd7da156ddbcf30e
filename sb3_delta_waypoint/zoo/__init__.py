"""
The front end: rl_zoo3's scripts, with this package's envs, hyperparameters, evaluation and run folder.

rl_zoo3 fixes its ``--algo`` choices before it imports ``--gym-packages``, so ``rl_zoo3 train`` cannot be extended from
outside. :func:`register` adds entries to its tables; :func:`train` and :func:`run_script` then run its scripts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sb3_delta_waypoint.zoo.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from sb3_delta_waypoint.zoo.scripts import register, run_script, train

__all__ = ["ALGORITHMS", "register", "run_script", "train"]


def __getattr__(name: str) -> Any:
    # importing rl_zoo3 takes seconds, and --help should not wait for it
    if name in __all__:
        return getattr(import_module(f"{__name__}.scripts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
