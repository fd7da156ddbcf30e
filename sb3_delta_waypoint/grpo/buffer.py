"""The buffer that stores episodes until their group is complete."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch as th
from stable_baselines3.common.type_aliases import PyTorchObs

from sb3_delta_waypoint.grpo.advantages import have_spread

Seen = PyTorchObs | tuple[th.Tensor, ...]
"""The input that a policy acts on: observations, or a named tuple of features that it computes from them."""


class Transitions(NamedTuple):
    """
    The data of transitions that an update needs: the policy's inputs, its actions and their log probabilities. Each tensor is
    ``(N, …)``.
    """

    seen: Seen
    actions: th.Tensor
    log_probs: th.Tensor


MOST_STEPS = 64
"""Number of steps that are stored at once."""


class Episodes(NamedTuple):
    """
    The episodes of complete groups, side by side, group by group.

    ``transitions``: ``N`` transitions; ``rewards``: ``(N,)``; ``lengths``: ``(E,)``; ``truncated``: ``(E,)``, whether a time
    limit ended the episode.
    """

    transitions: Transitions
    rewards: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray


@dataclass
class Group:
    """
    A group with at least one begun episode: the env and the hash of the first observation of the member that began first,
    whether it began in a state of another episode, the returns of the finished members, and whether a fault aborted one.
    """

    first_env: int
    start: int
    in_state: bool = False
    returns: list[float] = field(default_factory=list)
    n_transitions: int = 0
    is_broken: bool = False


class EpisodeBuffer:
    """
    A buffer that stores every transition until all episodes of its group have ended.

    The k-th episode of env ``i`` of ``n`` has the number ``k * n + i`` and belongs to group ``number // group_size``. Each
    transition has its own row; rows are reused once their group has been taken out. The number of rows is at most twice the
    largest number of transitions that were stored at the same time.

    :param n_envs: number of envs ``n``
    :param group_size: number of consecutive episodes that form a group
    :param gamma: discount factor of the returns from which the spread of a group is determined
    :param allow_different_starts: only warn, once, if the episodes of a group begin with different observations
    """

    def __init__(self, n_envs: int, group_size: int, gamma: float = 1.0, allow_different_starts: bool = False):
        self.n_envs, self.group_size, self.gamma = n_envs, group_size, gamma
        self.allow_different_starts, self._has_warned = allow_different_starts, False
        self.reset()

    def reset(self) -> None:
        """Empty the buffer; the next episode of each env counts as its first."""
        self._store: Transitions | None = None
        self._steps: list[tuple[Transitions, np.ndarray]] = []  # the latest steps, not stored in rows yet
        self._rewards = np.empty(0)
        self._number = np.empty(0, np.int64)  # the episode of each row, -1 for free rows
        self._step = np.empty(0, np.int64)
        self._free = np.empty(0, np.int64)
        self.episode_numbers = np.arange(self.n_envs) - self.n_envs
        """Number of the current episode of each env, ``(n,)``."""
        self._returns = np.zeros(self.n_envs)
        self._lengths = np.zeros(self.n_envs, np.int64)
        self._groups: dict[int, Group] = {}
        self._complete: list[int] = []
        self._truncated: set[int] = set()
        self.zero_std_streak = 0
        """Number of complete groups without spread since the last one with spread."""
        self.clear_statistics()

    def clear_statistics(self) -> None:
        """Reset the counts of groups."""
        self.flat_groups: list[Group] = []
        """Number of complete groups without spread."""
        self.spread_groups: list[Group] = []
        """Number of complete groups with spread."""
        self.broken_groups: list[Group] = []
        """Number of groups with an episode that a fault aborted."""

    @property
    def n_held(self) -> int:
        """Number of stored transitions."""
        return len(self._number) - len(self._free) + len(self._steps) * self.n_envs

    @property
    def n_ended(self) -> int:
        """Number of ended episodes whose groups have not been trained on yet."""
        return sum(len(group.returns) for group in [*self._groups.values(), *self.flat_groups])

    @property
    def lengths(self) -> np.ndarray:
        """Number of steps in the current episode of each env, ``(n,)``."""
        return self._lengths

    def next_groups(self, envs: Sequence[int]) -> list[int]:
        """
        Return the groups of the next episodes of some envs.

        :param envs: indices of these envs
        :return: numbers of the groups
        """
        return [(int(self.episode_numbers[i]) + self.n_envs) // self.group_size for i in envs]

    def begin(
        self,
        envs: Sequence[int],
        observations: np.ndarray | dict[str, np.ndarray],
        in_state: np.ndarray | None = None,
    ) -> None:
        """
        Register that envs begin their next episodes.

        :param envs: indices of these envs
        :param observations: first observations; those of all envs, as the envs returned them
        :param in_state: ``(n,)``, whether the episode of each env begins in a state of another one; None for none
        :raises ValueError: if an episode begins with another observation than the other members of its group, unless
            ``allow_different_starts``
        """
        parts = observations.values() if isinstance(observations, dict) else (observations,)
        for i, number in zip(envs, self.next_groups(envs), strict=True):
            self.episode_numbers[i] += self.n_envs
            self._returns[i], self._lengths[i] = 0.0, 0
            start = hash(tuple(part[i].tobytes() for part in parts))
            group = self._groups.setdefault(number, Group(i, start, in_state is not None and bool(in_state[i])))
            if group.start != start:
                self._handle_different_starts(group.first_env, i, number)

    def _handle_different_starts(self, first_env: int, env: int, scenario: int) -> None:
        found = f"env {first_env} and env {env} begin scenario {scenario} with different observations"
        if not self.allow_different_starts:
            raise ValueError(
                f"{found}, but the episodes of a group must begin alike: reset(seed=...) of the env must determine everything "
                "random in it. If it cannot, allow_different_starts=True trains all the same: luck then counts as merit"
            )
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"{found}: the luck of an episode's start counts as merit of what it did", stacklevel=4)

    def add(
        self,
        transitions: Transitions,
        rewards: np.ndarray,
        ended: Iterable[int],
        truncated: Iterable[int] = (),
        broken: Iterable[int] = (),
    ) -> None:
        """
        Store a step of all envs. The tensors may be copied as late as in :meth:`take`.

        :param transitions: one transition of each env
        :param rewards: ``(n,)``
        :param ended: indices of the envs whose episodes have ended; call :meth:`begin` for them next
        :param truncated: those of the ended whose episode reached a time limit
        :param broken: those of the ended whose episode was aborted by a fault of the env; their groups are dropped
        """
        self._steps.append((transitions, np.stack([rewards, self.episode_numbers, self._lengths])))
        self._returns += self.gamma**self._lengths * rewards
        self._lengths += 1
        self._truncated.update(int(self.episode_numbers[i]) for i in truncated)
        for i in broken:
            self._groups[int(self.episode_numbers[i]) // self.group_size].is_broken = True
        for i in ended:
            self._end_episode(int(self.episode_numbers[i]) // self.group_size, float(self._returns[i]), int(self._lengths[i]))
        if len(self._steps) == MOST_STEPS:
            self._store_steps()

    def is_ready(self, n_groups: int, n_transitions: int, count_flat: bool = True) -> bool:
        """
        Return whether enough groups are complete for an update.

        :param n_groups: minimum number of complete groups
        :param n_transitions: minimum number of their transitions
        :param count_flat: whether to count groups without spread, which :meth:`take` does not return
        :return: whether both minima are reached
        """
        groups = self.spread_groups + self.flat_groups if count_flat else self.spread_groups
        return len(groups) >= n_groups and sum(group.n_transitions for group in groups) >= n_transitions

    def take(self) -> Episodes | None:
        """
        Remove the complete groups from the buffer and return them.

        :return: their episodes; None if there are none
        """
        if not self._complete:
            return None
        rows = self._rows_of(self._complete)
        rows = rows[np.lexsort((self._step[rows], self._number[rows]))]
        numbers, lengths = np.unique(self._number[rows], return_counts=True)
        truncated = np.fromiter((int(number) in self._truncated for number in numbers), bool, len(numbers))
        taken = Episodes(select(self._store, th.from_numpy(rows)), self._rewards[rows], lengths, truncated)
        self._forget(rows, self._complete)
        self._complete = []
        return taken

    def _end_episode(self, number: int, episode_return: float, length: int) -> None:
        group = self._groups[number]
        group.returns.append(episode_return)
        group.n_transitions += length
        if len(group.returns) < self.group_size:
            return
        if group.is_broken:
            self.broken_groups.append(group)
            self._forget(self._rows_of([number]), [number])
        elif have_spread(np.array(group.returns)):
            self.spread_groups.append(group)
            self.zero_std_streak = 0
            self._complete.append(number)
        else:
            self.flat_groups.append(group)
            self.zero_std_streak += 1
            self._forget(self._rows_of([number]), [number])

    def _rows_of(self, groups: list[int]) -> np.ndarray:
        self._store_steps()
        return np.flatnonzero(np.isin(self._number // self.group_size, groups))

    def _forget(self, rows: np.ndarray, groups: list[int]) -> None:
        self._number[rows] = -1
        self._free = np.concatenate([self._free, rows])
        for number in groups:
            del self._groups[number]
            self._truncated.difference_update(range(number * self.group_size, (number + 1) * self.group_size))

    def _store_steps(self) -> None:
        """Copy the latest steps to rows; one copy of many steps is faster than many copies of one step."""
        if not self._steps:
            return
        transitions = concatenated([step for step, _ in self._steps])
        numbers = np.concatenate([step for _, step in self._steps], axis=1)
        rows = self._allocate(transitions, numbers.shape[1])
        self._rewards[rows], self._number[rows], self._step[rows] = numbers
        index = th.from_numpy(rows)
        for store, values in zip(tensors_of(self._store), tensors_of(transitions), strict=True):
            store.index_copy_(0, index.to(store.device), values)
        self._steps = []

    def _allocate(self, transitions: Transitions, n_rows: int) -> np.ndarray:
        """Return free rows; if there are too few, the memory is at least doubled."""
        missing = n_rows - len(self._free)
        if missing > 0:
            held = len(self._number)
            more = max(missing, held)
            store = map_tensors(lambda values: values[:0], transitions) if self._store is None else self._store
            self._store = map_tensors(lambda values: th.cat([values, values.new_empty(more, *values.shape[1:])]), store)
            self._rewards = np.concatenate([self._rewards, np.zeros(more)])
            self._step = np.concatenate([self._step, np.zeros(more, np.int64)])
            self._number = np.concatenate([self._number, np.full(more, -1)])
            self._free = np.concatenate([self._free, np.arange(held, held + more)])
        rows, self._free = self._free[:n_rows], self._free[n_rows:]
        return rows


def map_tensors(function: Callable[[th.Tensor], th.Tensor], values: Any) -> Any:
    """
    Apply a function to every tensor of a structure.

    :param function: function of a tensor
    :param values: a tensor, or dicts and named tuples of tensors
    :return: the same structure, of the function's results
    """
    if isinstance(values, th.Tensor):
        return function(values)
    if isinstance(values, dict):
        return {key: map_tensors(function, value) for key, value in values.items()}
    return type(values)(*(map_tensors(function, value) for value in values))


def tensors_of(values: Any) -> list[th.Tensor]:
    """
    Return all tensors of a structure.

    :param values: a tensor, or dicts and named tuples of tensors
    :return: the tensors
    """
    found: list[th.Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, values)  # type: ignore[func-returns-value]
    return found


def concatenated(parts: Sequence[Any]) -> Any:
    """
    Concatenate structures of tensors along the first axis.

    :param parts: tensors, or dicts and named tuples of tensors, all of the same structure
    :return: the same structure, of the concatenated tensors
    """
    columns = iter([th.cat(column) for column in zip(*map(tensors_of, parts), strict=True)])
    return map_tensors(lambda _: next(columns), parts[0])


def select(values: Any, rows: th.Tensor) -> Any:
    """
    Select rows of every tensor of a structure.

    :param values: a tensor, or dicts and named tuples of tensors, each ``(N, …)``
    :param rows: row numbers ``(M,)``
    :return: the same structure, of tensors ``(M, …)``
    """
    return map_tensors(lambda tensor: tensor.index_select(0, rows.to(tensor.device)), values)
