"""Collecting groups of episodes with the same start."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import MaybeCallback, PyTorchObs
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from sb3_delta_waypoint.contract import FAULT, START_STEP
from sb3_delta_waypoint.grpo.buffer import EpisodeBuffer, Seen, Transitions, map_tensors
from sb3_delta_waypoint.grpo.groups import number_scenarios, reset_seed
from sb3_delta_waypoint.grpo.policies import EncodingPolicy
from sb3_delta_waypoint.grpo.states import GroupStates, check_states
from sb3_delta_waypoint.vec_env.normalization import refuse_normalized_observations

LONG_STREAK = 16
"""Number of consecutive groups without spread after which there is a warning."""
LONG_ROLLOUT = 20_000
"""Number of steps per env in one rollout after which there is a warning."""
LONGEST_EPISODE = 30_000
"""Number of steps after which an episode is assumed never to end; Atari games are truncated after 27,000."""


class GroupRolloutAlgorithm(OnPolicyAlgorithm):
    """
    An on-policy algorithm whose rollouts are complete groups of whole episodes. When an episode ends, its env begins the next
    one at once. Unfinished episodes and incomplete groups are carried over to the next rollout.
    """

    rollout_buffer: EpisodeBuffer  # type: ignore[assignment]
    batch_size: int
    group_size: int
    n_groups: int
    zero_std: str
    group_start: str
    state_share: float
    _warned_of_zero_std = False
    _states: GroupStates | None = None
    allow_different_starts: bool

    def _check_groups(self) -> None:
        """
        Check the settings of groups, which may have been changed between two calls of ``learn``.

        :raises ValueError: if the group size was changed, or if a rollout may be smaller than a minibatch
        """
        built = self.rollout_buffer.group_size
        if self.group_size != built:
            raise ValueError(
                f"group_size={self.group_size} was set on a model whose episodes are counted in groups of {built}: give it to "
                f"the constructor, or save the model and load it with GRPO.load(path, env=env, group_size={self.group_size})"
            )
        smallest = self.n_steps * self.n_envs
        if self.batch_size > smallest:
            raise ValueError(
                f"batch_size={self.batch_size} is more than a rollout is sure to have: {smallest} transitions "
                f"(n_steps={self.n_steps} times {self.n_envs} envs); make it smaller, or n_steps larger"
            )

    def _setup_groups(self) -> None:
        """
        Make the envs number their scenarios.

        :raises ValueError: if they cannot, if they return normalised observations to a policy with a frozen part, or if groups
            are to begin in a state and cannot
        """
        assert self.env is not None
        self._check_groups()
        if hasattr(self.policy, "encode"):
            refuse_normalized_observations(self.env)
        number_scenarios(self.env, self.group_size, self.allow_different_starts)
        if self.group_start == "state":
            check_states(self.env)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        self._check_groups()
        begins = reset_num_timesteps or self._last_obs is None
        if begins:
            self._setup_groups()
            seed = self._seed_scenarios(0 if reset_num_timesteps else self.num_timesteps)
            self._states = None
            if self.group_start == "state":
                assert self.env is not None
                self._states = GroupStates(self.env, self.group_size, self.state_share, seed)
        result = super()._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)
        if begins:
            self.rollout_buffer.reset()
            self._begin_episodes(range(self.n_envs))
        return result

    def _seed_scenarios(self, timesteps: int) -> int:
        """Seed the envs for scenarios from 0 on; after ``timesteps`` of learning they differ from those of earlier runs."""
        assert self.env is not None
        base_seed = getattr(self.env.unwrapped, "_seeds", [None])[0]
        if base_seed is None:
            base_seed = int(np.random.randint(2**31))
        seed = reset_seed(base_seed, timesteps) if timesteps else base_seed
        self.env.seed(seed)
        return seed

    def collect_rollouts(  # type: ignore[override]
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: EpisodeBuffer, n_rollout_steps: int
    ) -> bool:
        """
        Collect transitions until enough groups are complete.

        :param env: the envs
        :param callback: called at each step, and at the beginning and the end
        :param rollout_buffer: stores episodes until their group is complete
        :param n_rollout_steps: minimum number of transitions of complete groups, per env
        :return: False if the callback ended training
        :raises ValueError: if an episode does not end, or an env returns values that are not finite
        """
        self._check_groups()
        rollout_buffer.gamma = self.gamma
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        started = self.num_timesteps
        while not self._has_enough(n_rollout_steps * env.num_envs):
            self._check_progress(started)
            assert self._last_obs is not None
            with th.no_grad():
                obs_tensor, seen, stored = self._see(self._last_obs)
                distribution = self.policy.get_distribution(seen)  # type: ignore[arg-type]
                action_tensor = distribution.get_actions()
                log_probs = distribution.log_prob(action_tensor)
            actions = action_tensor.reshape(-1, *self.action_space.shape).cpu().numpy()  # type: ignore[misc]
            clipped_actions = actions
            if isinstance(self.action_space, spaces.Box):
                clipped_actions = np.clip(actions, self.action_space.low, self.action_space.high)

            new_obs, rewards, dones, infos = env.step(clipped_actions)
            self.num_timesteps += env.num_envs
            self._check_finite("reward", rewards)

            callback.update_locals(locals())
            continue_training = callback.on_step()

            self._update_info_buffer(infos, dones)
            # the step is stored even if training ends here
            ended = np.flatnonzero(dones).tolist()
            self._check_scenarios(ended, infos)
            truncated = [i for i in ended if infos[i].get("TimeLimit.truncated", False)]
            broken = [i for i in ended if FAULT in infos[i]]
            rollout_buffer.add(Transitions(stored, action_tensor, log_probs), rewards, ended, truncated, broken)
            self._warn_of_zero_std(rollout_buffer)
            self._last_obs = new_obs  # type: ignore[assignment]
            self._last_episode_starts = dones
            self._begin_episodes(ended)
            if self._states is not None:
                self._states.keep(rollout_buffer.lengths)
            if not continue_training:
                return False

        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _check_progress(self, started: int) -> None:
        """Warn of what delays an update, and refuse endless episodes; ``started``: time step at which the rollout began."""
        longest = int(self.rollout_buffer.lengths.argmax())
        if self.rollout_buffer.lengths[longest] >= LONGEST_EPISODE:
            raise ValueError(
                f"the episode of env {longest} has not ended after {LONGEST_EPISODE} steps, and GRPO learns from whole "
                "episodes: give the env a time limit, such as make_vec_env(..., wrapper_class=gymnasium.wrappers.TimeLimit, "
                "wrapper_kwargs={'max_episode_steps': 1000})"
            )
        needed = f"{self.n_groups * self.group_size} episodes (n_groups={self.n_groups}, group_size={self.group_size})"
        if self.num_timesteps - started == LONG_ROLLOUT * self.n_envs:
            warnings.warn(
                f"{LONG_ROLLOUT} steps per env have not completed {needed}: GRPO learns from whole episodes, so do they end?",
                stacklevel=3,
            )
        # the last rollout of a run may exceed the budget, as in other algorithms; the first one should not
        if started == self._num_timesteps_at_start and 0 <= self.num_timesteps - self._total_timesteps < self.n_envs:
            warnings.warn(
                f"total_timesteps={self._total_timesteps - started} is over before the first update, which takes whole "
                f"groups: {needed} and n_steps * n_envs = {self.n_steps * self.n_envs} transitions at least; "
                f"episodes that have ended by now: {self.rollout_buffer.n_ended}. Training goes on until that update: give "
                "it more steps, or make n_groups, group_size or n_steps smaller",
                stacklevel=3,
            )

    def _see(self, observations: np.ndarray | dict[str, np.ndarray]) -> tuple[PyTorchObs, Seen, Seen]:
        """Return the observations as tensors, the policy's input, and the input as stored: images stay in main memory."""
        obs_tensor = obs_as_tensor(observations, self.device)
        if hasattr(self.policy, "encode"):
            features = cast(EncodingPolicy, self.policy).encode(obs_tensor)
            return obs_tensor, features, features
        # a copy, since an env may reuse its array
        stored = map_tensors(th.clone, obs_as_tensor(observations, th.device("cpu")))
        return obs_tensor, obs_tensor, stored

    def _has_enough(self, n_transitions: int) -> bool:
        resamples = self.zero_std == "resample" and self.num_timesteps < self._total_timesteps
        return self.rollout_buffer.is_ready(self.n_groups, n_transitions, count_flat=not resamples)

    def _warn_of_zero_std(self, buffer: EpisodeBuffer) -> None:
        if self._warned_of_zero_std or buffer.zero_std_streak < LONG_STREAK:
            return
        self._warned_of_zero_std = True
        warnings.warn(
            f"within each of the last {buffer.zero_std_streak} groups of {self.group_size} episodes all returns were equal, "
            f"the latest {buffer.flat_groups[-1].returns[0]:g}: GRPO learns nothing from them. Where better returns are "
            f"possible, a larger group_size (now {self.group_size}) helps, more exploration (ent_coef, log_std_init in "
            "policy_kwargs), longer episodes, or a reward that also tells how near an episode came to its goal",
            stacklevel=3,
        )

    def _begin_episodes(self, envs: Sequence[int]) -> None:
        """Register that some envs have begun episodes; ``_last_obs`` has the observations of all envs."""
        assert self._last_obs is not None
        normalize, states = self._vec_normalize_env, self._states
        if states is not None:
            assert isinstance(self._last_obs, dict)
            self._last_obs = states.begin(envs, self.rollout_buffer.next_groups(envs), self._last_obs)
        observations = self._last_obs if states is not None or normalize is None else normalize.get_original_obs()
        self._check_finite("observation", observations)
        self.rollout_buffer.begin(envs, observations, None if states is None else states.in_state)

    def _check_scenarios(self, envs: Iterable[int], infos: list[dict[str, Any]]) -> None:
        for i in envs:
            if START_STEP in infos[i]:
                continue  # of another group's scenario
            scenario = self.rollout_buffer.episode_numbers[i] // self.group_size
            if infos[i].get("scenario", scenario) != scenario:
                raise ValueError(
                    f"env {i} has played scenario {infos[i]['scenario']} where scenario {scenario} was its turn: "
                    "was it reset from outside? Evaluate on other envs than those of the training"
                )

    def _check_finite(self, what: str, values: np.ndarray | dict[str, np.ndarray]) -> None:
        for name, array in values.items() if isinstance(values, dict) else ((what, values),):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                i = int(np.argwhere(~np.isfinite(array))[0, 0])
                raise ValueError(
                    f"env {i} gave a {what} that is not finite at step {self.num_timesteps}, {name} = {array[i]}; the model "
                    "keeps the parameters of its last update"
                )
