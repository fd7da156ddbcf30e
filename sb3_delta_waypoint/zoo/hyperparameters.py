"""The yaml files of hyperparameters that ship with this package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rl_zoo3.exp_manager
import yaml

HYPERPARAMS = Path(__file__).parents[1] / "hyperparams"
"""The folder of the yaml files, with one file per algorithm."""


def default_config(algo: str, env_id: str) -> str | None:
    """
    Return the file with the hyperparameters of an algorithm on an env.

    :param algo: name of the algorithm
    :param env_id: id of the env
    :return: this package's yaml if it contains the env; otherwise None, for rl_zoo3's own
    """
    path = HYPERPARAMS / f"{algo}.yml"
    if path.is_file() and env_id in yaml.safe_load(path.read_text()):
        return str(path)
    return None


def as_policy_kwargs(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return the ``policy_kwargs`` of a yaml as a dict.

    :param value: a mapping, or Python source such as ``"dict(net_arch=[64])"``, which is evaluated as in rl_zoo3
    :return: the keyword arguments
    """
    return dict(eval(value, vars(rl_zoo3.exp_manager)) if isinstance(value, str) else value or {})
