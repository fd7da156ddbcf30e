"""Where episodes wait until their group is complete."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch as th
from stable_baselines3.common.type_aliases import PyTorchObs

from sb3_delta_waypoint.grpo.advantages import have_spread

Seen = PyTorchObs | tuple[th.Tensor, ...]
"""What a policy acts on: observations, or features that it makes of them, a named tuple of tensors."""


class Transitions(NamedTuple):
    """
    What an update needs of each transition: what the policy acted on, what it did, and how likely that was to it. Each tensor
    is ``(N, …)``.
    """

    seen: Seen
    actions: th.Tensor
    log_probs: th.Tensor


MOST_STEPS = 64
"""So many steps are stored at once."""


class Episodes(NamedTuple):
    """
    The episodes of complete groups, side by side, group by group.

    ``transitions``: ``N`` of them; ``rewards``: ``(N,)``; ``lengths``: ``(E,)``; ``truncated``: ``(E,)``, whether a time limit
    ended the episode.
    """

    transitions: Transitions
    rewards: np.ndarray
    lengths: np.ndarray
    truncated: np.ndarray


@dataclass
class Group:
    """A group whose members have begun: the env and the first observation of the first, the returns of the
    finished, and whether a fault has broken one off."""

    first_env: int
    start: int
    returns: list[float] = field(default_factory=list)
    n_transitions: int = 0
    is_broken: bool = False


class EpisodeBuffer:
    """
    Holds every transition until all episodes of its group have ended.

    The k-th episode of env ``i`` of ``n`` is number ``k * n + i`` and belongs to group ``number // group_size``. Each
    transition lies in a row of its own; rows are used again once their group has been taken out. There are at most twice as
    many rows as transitions were ever held at once.

    :param n_envs: number of envs ``n``
    :param group_size: so many consecutive episodes are a group
    :param gamma: discount factor of the returns by which groups without spread are known
    :param allow_different_starts: only warn, once, where the episodes of a group begin with different observations
    """

    def __init__(self, n_envs: int, group_size: int, gamma: float = 1.0, allow_different_starts: bool = False):
        self.n_envs, self.group_size, self.gamma = n_envs, group_size, gamma
        self.allow_different_starts, self._has_warned = allow_different_starts, False
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next episode of each env is its first."""
        self._store: Transitions | None = None
        self._steps: list[tuple[Transitions, np.ndarray]] = []  # the latest, not in the store yet
        self._rewards = np.empty(0)
        self._number = np.empty(0, np.int64)  # the episode of each row, -1 where it is free
        self._step = np.empty(0, np.int64)
        self._free = np.empty(0, np.int64)
        self.episode_numbers = np.arange(self.n_envs) - self.n_envs
        """Number of the episode that each env plays, ``(n,)``."""
        self._returns = np.zeros(self.n_envs)
        self._lengths = np.zeros(self.n_envs, np.int64)
        self._groups: dict[int, Group] = {}
        self._complete: list[int] = []
        self._truncated: set[int] = set()
        self.zero_std_streak = 0
        """Number of complete groups without spread since the last one with spread."""
        self.clear_statistics()

    def clear_statistics(self) -> None:
        """Begin to count again."""
        self.flat_groups: list[Group] = []
        """Groups that were complete, but without spread."""
        self.spread_groups: list[Group] = []
        """Groups that were complete and had spread."""
        self.broken_groups: list[Group] = []
        """Groups with an episode that a fault has broken off."""

    @property
    def n_held(self) -> int:
        """So many transitions are held."""
        return len(self._number) - len(self._free) + len(self._steps) * self.n_envs

    @property
    def n_ended(self) -> int:
        """Number of ended episodes whose groups have not been trained on."""
        return sum(len(group.returns) for group in [*self._groups.values(), *self.flat_groups])

    @property
    def lengths(self) -> np.ndarray:
        """Steps so far of the episode that each env plays, ``(n,)``."""
        return self._lengths

    def begin(self, envs: Iterable[int], observations: np.ndarray | dict[str, np.ndarray]) -> None:
        """
        Envs begin their next episodes.

        :param envs: which
        :param observations: of all envs, as the envs gave them
        :raises ValueError: if an episode begins with another observation than the other members of its group, unless
            ``allow_different_starts``
        """
        parts = observations.values() if isinstance(observations, dict) else (observations,)
        for i in envs:
            self.episode_numbers[i] += self.n_envs
            self._returns[i], self._lengths[i] = 0.0, 0
            number = int(self.episode_numbers[i]) // self.group_size
            start = hash(tuple(part[i].tobytes() for part in parts))
            group = self._groups.setdefault(number, Group(i, start))
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
        Keep a step of all envs. The tensors are not copied before :meth:`take`.

        :param transitions: one of each env
        :param rewards: ``(n,)``
        :param ended: the envs whose episodes have ended, which must :meth:`begin` new ones
        :param truncated: those of them that a time limit has ended
        :param broken: those of them that a fault of the env has broken off: nothing is learnt from their groups
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
        :param n_groups: so many complete groups at least
        :param n_transitions: with so many transitions at least
        :param count_flat: whether to count groups without spread, which :meth:`take` does not give
        :return: whether there are as many
        """
        groups = self.spread_groups + self.flat_groups if count_flat else self.spread_groups
        return len(groups) >= n_groups and sum(group.n_transitions for group in groups) >= n_transitions

    def take(self) -> Episodes | None:
        """
        Take the complete groups out.

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
        """Give each transition of the latest steps a row; one copy of many steps costs less than many of one."""
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
        """Free rows; at least doubles the memory where there are too few."""
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
    :param function: of a tensor
    :param values: a tensor, or dicts and named tuples of tensors
    :return: the same, of the function's values
    """
    if isinstance(values, th.Tensor):
        return function(values)
    if isinstance(values, dict):
        return {key: map_tensors(function, value) for key, value in values.items()}
    return type(values)(*(map_tensors(function, value) for value in values))


def tensors_of(values: Any) -> list[th.Tensor]:
    """
    :param values: a tensor, or dicts and named tuples of tensors
    :return: the tensors
    """
    found: list[th.Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, values)  # type: ignore[func-returns-value]
    return found


def concatenated(parts: Sequence[Any]) -> Any:
    """
    :param parts: tensors, or dicts and named tuples of tensors, all of one kind
    :return: the same kind, of longer tensors
    """
    columns = iter([th.cat(column) for column in zip(*map(tensors_of, parts), strict=True)])
    return map_tensors(lambda _: next(columns), parts[0])


def select(values: Any, rows: th.Tensor) -> Any:
    """
    :param values: a tensor, or dicts and named tuples of tensors, each ``(N, …)``
    :param rows: ``(M,)``
    :return: the same, ``(M, …)``
    """
    return map_tensors(lambda tensor: tensor.index_select(0, rows.to(tensor.device)), values)
