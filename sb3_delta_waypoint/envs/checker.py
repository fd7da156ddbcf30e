"""Checker of the contract of waypoint envs, in the manner of ``stable_baselines3.common.env_checker``."""

import math
import warnings
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, NoReturn

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from sb3_delta_waypoint.contract import EGO_GROUPS, END_OF_EPISODE, GROUPS, ObservationGroup
from sb3_delta_waypoint.envs.spaces import group_space
from sb3_delta_waypoint.messages import short_repr, short_text

TOLERANCE = 1e-4
"""Largest difference between the observations and rewards of an episode and its replay."""


class Step(NamedTuple):
    """What an env returns from a step."""

    observation: dict[str, np.ndarray]
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def check_waypoint_env(env: gym.Env, seed: int = 0, max_steps: int = 10_000, warn: bool = True) -> None:
    """
    Check that an env keeps the contract of waypoint envs, so that policies, recording and evaluation work with it.

    The check covers the spaces, ``reset`` and ``step``, the info of the last step, and the replay of scenarios. It drives five
    episodes by the env's ``expert_plan()`` where it has one, else straight ahead.

    :param env: a scalar env; its last episode is over afterwards
    :param seed: base seed of the scenarios
    :param max_steps: largest accepted number of steps of an episode
    :param warn: whether to warn of what is allowed but has drawbacks
    :raises ValueError: naming the first thing that breaks the contract, its value and the remedy
    """
    check = _Check(env, seed, max_steps)
    for fault in _space_faults(env.observation_space, env.action_space):
        check.fail(fault)
    if warn:
        for advice in _advice(env):
            warnings.warn(f"{check.name}: {advice}", stacklevel=2)
    first = check.episode({"seed": seed}, expected=0)
    second = check.episode({}, expected=1)
    check.same(first, check.episode({"seed": seed, "options": {"scenario": 0}}, 0, first[1]), 0)
    check.same(second, check.episode({"seed": seed, "options": {"scenario": 1}}, 1, second[1]), 1)
    check.episode({"seed": seed, "options": {"scenario": 7}}, expected=7)


def kind_faults(observation_space: spaces.Space, action_space: spaces.Space) -> list[str]:
    """
    List the reasons why an env is not a waypoint env.

    :param observation_space: observation space of the env
    :param action_space: action space of the env
    :return: clauses for a message; empty for a waypoint env
    """
    faults = []
    if not (isinstance(action_space, spaces.Box) and len(action_space.shape) == 2 and action_space.shape[1] == 2):
        faults.append(f"its actions are {action_space}, not plans, a Box (H, 2) in metres")
    if not isinstance(observation_space, spaces.Dict):
        faults.append(f"its observations are {observation_space}, not a Dict of groups such as {' and '.join(EGO_GROUPS)}")
    return faults


def _space_faults(observation_space: spaces.Space, action_space: spaces.Space) -> Iterator[str]:
    """The ways in which spaces break the contract."""
    yield from kind_faults(observation_space, action_space)
    assert isinstance(observation_space, spaces.Dict)
    if action_space.dtype != np.float32 or not action_space.is_bounded():  # type: ignore[attr-defined]
        yield f"its action space is {action_space}; use PlanSpace(horizon_steps, plan_dt), a bounded float32 Box"
    for name, space in observation_space.spaces.items():
        if name in GROUPS:
            yield from _group_faults(name, GROUPS[name], space)
            if f"{name}_valid" in GROUPS and f"{name}_valid" not in observation_space.spaces:
                yield f"its observations hold {name!r} without '{name}_valid': add it, 1 for rows that hold somebody"
        elif isinstance(space, spaces.Box) and space.dtype == np.uint8:
            if len(space.shape) != 3 or space.shape[0] != 3:
                yield f"the camera {name!r} has the shape {space.shape}; expected (3, height, width)"
            if f"{name}_valid" not in observation_space.spaces:
                remedy = "a float32 Box(0, 1, (1,)), which tells a missing picture from a black one"
                yield f"the camera {name!r} comes without '{name}_valid': add it, {remedy}"


def _group_faults(name: str, group: ObservationGroup, space: spaces.Space) -> Iterator[str]:
    wanted = group_space(name)
    if not isinstance(space, spaces.Box) or space.shape != group.shape or space.dtype != np.float32:
        yield f"observation {name!r} is {space}; expected a float32 Box of the shape {group.shape}: {group.meaning}"
    elif not (np.array_equal(space.low, wanted.low) and np.array_equal(space.high, wanted.high)):
        bounds = ", ".join(f"{name} {low:g} to {high:g} {unit}".rstrip() for name, unit, low, high, _ in group.columns)
        yield f"observation {name!r} has other bounds than the contract, which models compare exactly; expected {bounds}"


def _advice(env: gym.Env) -> Iterator[str]:
    """Advice about what is allowed but has drawbacks."""
    if not hasattr(env.action_space, "plan_dt"):
        yield "its action space does not say plan_dt, so that no planner with another one is refused: use PlanSpace"
    if not hasattr(env.unwrapped, "expert_plan"):
        yield "it has no expert_plan(): it can be trained in and evaluated on, but no demonstrations can be recorded"
    assert isinstance(env.observation_space, spaces.Dict)
    unknown = [name for name in env.observation_space.spaces if not _known(name, env.observation_space.spaces)]
    if unknown:
        yield (
            f"{', '.join(map(repr, unknown))} in its observation is no group of the contract: planners may read it, but it is "
            "not recorded in episodes, and heads see only what the planner makes of it"
        )


def _known(name: str, given: Mapping[str, spaces.Space]) -> bool:
    camera = given.get(name.removesuffix("_valid"), given[name])
    return name in GROUPS or (isinstance(camera, spaces.Box) and camera.dtype == np.uint8)


class _Check:
    """A check in progress: it drives episodes and checks each step."""

    def __init__(self, env: gym.Env, seed: int, max_steps: int):
        if not isinstance(env, gym.Env):
            raise ValueError(f"{short_repr(env)} is no gymnasium.Env: check a scalar env, as gymnasium.make() makes it")
        self.env, self.seed, self.max_steps = env, seed, max_steps
        self.name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.name} does not keep the contract of waypoint envs: {problem}")

    def episode(
        self, reset: dict[str, Any], expected: int, plans: list[np.ndarray] | None = None
    ) -> tuple[list[Step], list[np.ndarray]]:
        """Drive an episode by the given plans or the expert's; return its steps, beginning with the reset, and the plans."""
        call = f"reset({', '.join(f'{name}={value!r}' for name, value in reset.items())})"
        observation, info = self._begin(call, reset)
        self._scenario(call, info, expected)
        steps = [Step(observation, 0.0, False, False, info)]
        driven: list[np.ndarray] = []
        while not (steps[-1].terminated or steps[-1].truncated):
            if len(driven) == self.max_steps:
                self.fail(f"after {call} no episode ended within {self.max_steps} steps: truncate those that run out of time")
            # a replay that takes longer is found by comparing lengths
            given = plans[len(driven)] if plans is not None and len(driven) < len(plans) else None
            driven.append(self._plan() if given is None else given)
            steps.append(self._step(driven[-1], len(driven)))
        self._end(steps, expected)
        return steps, driven

    def _begin(self, call: str, reset: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        try:
            result = self.env.reset(**reset)
        except TypeError as error:
            self.fail(f"{call} fails: {short_text(error)}; it must take seed and options")
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            self.fail(f"{call} gives {short_repr(result)}; expected (observation, info)")
        self._observation(result[0], call)
        return result

    def _step(self, plan: np.ndarray, number: int) -> Step:
        result: Any = self.env.step(plan)
        if not (isinstance(result, tuple) and len(result) == 5):
            self.fail(f"step() gives {short_repr(result)}; expected (observation, reward, terminated, truncated, info)")
        step = Step(*result)
        self._observation(step.observation, f"step {number}")
        if not isinstance(step.reward, Real) or not math.isfinite(step.reward):
            self.fail(f"the reward of step {number} is {short_repr(step.reward)}; expected a finite number")
        for name in ("terminated", "truncated"):
            if not isinstance(getattr(step, name), bool | np.bool_):
                self.fail(f"{name} at step {number} is {short_repr(getattr(step, name))}; expected True or False")
        if step.terminated and step.truncated:
            self.fail(f"step {number} is terminated and truncated: an episode that ended by itself is terminated alone")
        if not isinstance(step.info, dict):
            self.fail(f"the info of step {number} is {short_repr(step.info)}; expected a dict")
        return step

    def _observation(self, observation: Any, where: str) -> None:
        wanted = self.env.observation_space.spaces  # type: ignore[attr-defined]
        if not isinstance(observation, dict) or set(observation) != set(wanted):
            given = sorted(observation) if isinstance(observation, dict) else short_repr(observation)
            self.fail(f"the observation of {where} has {given}; its space has {sorted(wanted)}")
        for name, space in wanted.items():
            values = observation[name]
            if isinstance(values, np.ndarray | np.generic | int) and space.contains(values):
                continue
            if isinstance(space, spaces.Box) and isinstance(values, np.ndarray) and values.shape == space.shape:
                if values.dtype != space.dtype:
                    self.fail(f"observation {name!r} of {where} is {values.dtype}: convert it, .astype(np.{space.dtype})")
                value = values[~((values >= space.low) & (values <= space.high))][0]
                self.fail(f"observation {name!r} of {where} holds {value:g}, outside its bounds: clip it, np.clip(…)")
            self.fail(f"observation {name!r} of {where} is {short_repr(values)}; expected {space}")

    def _plan(self) -> np.ndarray:
        """The expert's plan, or straight ahead at 5 m/s where there is no expert."""
        unwrapped: Any = self.env.unwrapped
        space = self.env.action_space
        assert isinstance(space, spaces.Box)
        plan = unwrapped.expert_plan() if hasattr(unwrapped, "expert_plan") else None
        if plan is None:
            times = np.arange(1, len(space.low) + 1) * getattr(space, "plan_dt", 0.1)
            return np.clip(np.stack([5.0 * times, 0.0 * times], axis=1), space.low, space.high).astype(np.float32)
        if not space.contains(plan):
            self.fail(f"expert_plan() gives {short_repr(plan)}, which is not in the action space {space}")
        return np.array(plan)

    def _scenario(self, where: str, info: Mapping[str, Any], expected: int) -> None:
        scenario = info.get("scenario")
        if not isinstance(scenario, Integral) or int(scenario) != expected:
            self.fail(
                f"info['scenario'] is {short_repr(scenario)} after {where}; expected {expected}: reset(seed=…) plays scenario "
                "0, the next resets 1, 2, …, and options={'scenario': g} scenario g"
            )

    def _end(self, steps: list[Step], expected: int) -> None:
        info = steps[-1].info
        where = f"the last of {len(steps) - 1} steps"
        for key, meaning in END_OF_EPISODE.items():
            if key not in info:
                self.fail(f"the info of {where} lacks {key!r}: add it, {meaning}")
        if not isinstance(info["is_success"], bool | np.bool_):
            self.fail(f"info['is_success'] is {short_repr(info['is_success'])} at {where}; expected True or False")
        self._scenario(where, info, expected)
        metrics = info["episode_metrics"]
        if not isinstance(metrics, dict) or not all(isinstance(value, Real) for value in metrics.values()):
            self.fail(f"info['episode_metrics'] is {short_repr(metrics)} at {where}; expected a flat dict of numbers")
        rewards = sum(float(step.reward) for step in steps)
        told: dict[str, float] = {
            "success": float(info["is_success"]),
            "episode_length": len(steps) - 1,
            "episode_reward": rewards,
        }
        for name, value in told.items():
            if name in metrics and not math.isclose(metrics[name], value, rel_tol=1e-3, abs_tol=1e-3):
                self.fail(f"episode_metrics[{name!r}] is {metrics[name]:g} at {where}; the episode says {value:g}")

    def same(
        self, played: tuple[list[Step], list[np.ndarray]], again: tuple[list[Step], list[np.ndarray]], scenario: int
    ) -> None:
        """Check that two episodes of a scenario under the same plans are the same."""
        remedy = "everything random must follow from seed and scenario, and nothing from the episodes before"
        for number, (one, other) in enumerate(zip(played[0], again[0], strict=False)):
            differing = [
                f"observation {name!r}"
                for name in one.observation
                if not np.allclose(one.observation[name], other.observation[name], atol=TOLERANCE)
            ]
            if abs(one.reward - other.reward) > TOLERANCE:
                differing.append("the reward")
            if differing:
                where = f"{differing[0]} of step {number}"
                self.fail(f"scenario {scenario}, played again with the same plans, differs in {where}: {remedy}")
        if len(played[0]) != len(again[0]):
            lengths = f"{len(played[0]) - 1} and {len(again[0]) - 1} steps"
            self.fail(f"scenario {scenario}, played twice with the same plans, takes {lengths}: {remedy}")
