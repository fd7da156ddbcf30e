"""Group Relative Policy Optimization."""

from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule, TensorDict

from sb3_delta_waypoint.bounds import is_number
from sb3_delta_waypoint.grpo.advantages import outcome_advantages, process_advantages
from sb3_delta_waypoint.grpo.batch import Batch, make_batch, minibatches
from sb3_delta_waypoint.grpo.buffer import EpisodeBuffer
from sb3_delta_waypoint.grpo.objective import Objective, entropy
from sb3_delta_waypoint.grpo.policies import CnnPolicy, EncodingPolicy, MlpPolicy, MultiInputPolicy
from sb3_delta_waypoint.grpo.rollout import GroupRolloutAlgorithm
from sb3_delta_waypoint.grpo.schedules import BoundedSchedule
from sb3_delta_waypoint.grpo.settings import check_settings
from sb3_delta_waypoint.messages import short_repr

SelfGRPO = TypeVar("SelfGRPO", bound="GRPO")

N_LOGGED = 1024
"""Number of evenly spaced transitions of an update from which the means logged after it are computed."""


class GRPO(GroupRolloutAlgorithm):
    """
    Group Relative Policy Optimization (DeepSeekMath, https://arxiv.org/abs/2402.03300) for episodes of any Gymnasium env.

    ``group_size`` episodes have the same start, one scenario, and an episode's advantage is its return relative to the others
    of its group. There is no value function. A policy that computes features of its observations once (``encode``) is trained
    on the features.

    Published variants are settings. The defaults are GRPO's, except that the loss is averaged over all steps, as in DAPO: in
    an average over episodes, a step has less weight the longer its episode is.

    - GRPO: ``advantage="outcome"``, ``advantage_scale="group"`` (the defaults), ``loss_average="episode"``, ``kl_coef=0.04``.
    - Dr. GRPO (https://arxiv.org/abs/2503.20783): ``advantage_scale=None``, ``loss_average=<a constant length>``.
    - DAPO (https://arxiv.org/abs/2503.14476): ``clip_range=0.2``, ``clip_range_high=0.28``, ``loss_average="step"`` (the
      default), ``zero_std="resample"``, ``mask_truncated=True``.
    - GSPO (https://arxiv.org/abs/2507.18071): ``importance="episode"``, ``loss_average="episode"``, with clip ranges of about
      ``4e-4``.

    ``advantage="process"`` is this package's own: it compares returns to go at the same step. The process supervision of
    DeepSeekMath (section 4.1.3) normalises the rewards of all steps of a group and sums the normalised rewards to go.

    ``VecNormalize(norm_reward=True)`` divides all rewards by one running scale; ``advantage_scale="group"`` undoes it.

    :param policy: the policy: a class, or "MlpPolicy", "CnnPolicy", "MultiInputPolicy"
    :param env: the env, or its id; it must honour ``reset(seed=...)``. One env is enough. A vec env other than
        ``DummyVecEnv`` must number its scenarios itself or consist of :class:`~.groups.ScenarioGroups`
    :param learning_rate: learning rate, or a function of the remaining progress (from 1 to 0)
    :param n_steps: minimum number of steps per env in an update, which has at least ``n_steps * n_envs`` transitions of
        complete groups
    :param batch_size: approximate number of transitions in a minibatch; those of an update are divided into equal parts
    :param n_epochs: number of passes over the transitions of an update
    :param gamma: discount factor of the returns that are compared
    :param clip_range: clipping range of the ratio, or a function of the remaining progress
    :param clip_range_high: clipping range of ratios above one; None for ``clip_range``
    :param dual_clip: upper bound of the ratio for negative advantages, above 1; None for no bound
    :param ent_coef: entropy coefficient
    :param max_grad_norm: maximum norm of the gradient
    :param target_kl: end an update when the KL divergence of a minibatch to the policy that acted exceeds 1.5 times this
        [nats]; None for no limit
    :param group_size: number of episodes in a group
    :param n_groups: minimum number of complete groups in an update
    :param advantage: ``"outcome"``: returns of whole episodes; ``"process"``: returns from each step on, which suits dense
        rewards
    :param advantage_scale: divisor of the advantages: their deviation in the ``"group"`` or the ``"batch"``, a number, or
        None for no scaling
    :param zero_std: treatment of groups without spread of returns, which teach nothing: ``"skip"`` trains on the other groups,
        ``"resample"`` collects more groups in their place until training ends
    :param importance: ratios of each ``"step"``, or of the whole ``"episode"``, normalised by its length
    :param proximal: clip ratios to the policy that acted (``"acting"``), or to the one before the update (``"latest"``), with
        older transitions weighted by the ratio of the two, at most 1 (https://arxiv.org/abs/2110.00641, section 3).
        ``"latest"`` learns more from episodes that began some updates ago, but is less cautious
    :param loss_average: average over episodes of their means (``"episode"``), over all steps (``"step"``), or over episodes of
        their sums divided by a constant length (a number)
    :param kl_coef: weight of the KL divergence to a reference: the policy's own (``kl_to_reference``, in closed form), or else
        the policy at the first call of ``learn``, by the k3 estimator. For a ``DeltaWaypointPolicy`` it is also the weight of
        imitation, which keeps RL from collisions (RAD, https://arxiv.org/abs/2502.13144): with the planner's plan as the
        label, the negative log likelihood under the initial standard deviation has the same gradient with respect to the
        residual
    :param kl_target: adapt ``kl_coef`` to keep the KL divergence near this [nats] (PPO, arXiv 1707.06347, section 4)
    :param mask_truncated: exclude episodes that a time limit truncated from the loss, but not from the mean of their group
    :param allow_different_starts: only warn, instead of raising an error, if the episodes of a group begin with different
        observations: for envs that ignore ``reset(seed=...)``, and vec envs whose resets cannot be seeded. The difference
        between starts is then noise in the advantages
    :param group_start: ``"start"``: the members of each group begin at the start of one scenario; ``"state"``: those of some
        groups begin in one state of an earlier episode, and so are compared where it matters, not only by how they got there.
        They have its scenario, clock and time limit, and ``start_step`` in the info of their last step; they count in no
        metric, success rate or mean reward. For native vector envs only; see :class:`~.states.GroupStates`
    :param state_share: share of the groups that begin in a state if ``group_start="state"``, above 0 and below 1
    :param use_sde: refused: the noise of gSDE is drawn for a rollout, not for an episode, so that it has no ratio
    :param stats_window_size: window of the rollout statistics, in episodes
    :param tensorboard_log: log folder of tensorboard; None for no log
    :param policy_kwargs: arguments of the policy
    :param verbose: 0 no output, 1 info messages, 2 debug messages
    :param seed: seed of the pseudo-random generators and the scenarios
    :param device: device to compute on; "auto" is CUDA if available
    :param _init_setup_model: whether to build the network in the constructor
    :raises ValueError: if a setting is out of range, or the env cannot play groups
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }

    def __init__(
        self,
        policy: str | type[ActorCriticPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 3e-4,
        n_steps: int = 64,
        batch_size: int = 64,
        n_epochs: int = 10,
        gamma: float = 1.0,
        clip_range: float | Schedule = 0.2,
        clip_range_high: float | Schedule | None = None,
        dual_clip: float | None = None,
        ent_coef: float = 0.0,
        max_grad_norm: float = 0.5,
        target_kl: float | None = None,
        group_size: int = 8,
        n_groups: int = 2,
        advantage: str = "outcome",
        advantage_scale: str | float | None = "group",
        zero_std: str = "skip",
        importance: str = "step",
        proximal: str = "acting",
        loss_average: str | float = "step",
        kl_coef: float = 0.0,
        kl_target: float | None = None,
        mask_truncated: bool = False,
        allow_different_starts: bool = False,
        group_start: str = "start",
        state_share: float = 0.5,
        use_sde: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: th.device | str = "auto",
        _init_setup_model: bool = True,
    ):
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=1.0,
            ent_coef=ent_coef,
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            device=device,
            seed=seed,
            _init_setup_model=False,
            supported_action_spaces=(spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary),
        )
        if use_sde:
            raise ValueError("use_sde=True: gSDE draws its noise once per rollout, but GRPO's episodes go on across rollouts")
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.clip_range = clip_range
        self.clip_range_high = clip_range_high
        self.dual_clip = dual_clip
        self.target_kl = target_kl
        self.group_size = group_size
        self.n_groups = n_groups
        self.advantage = advantage
        self.advantage_scale = advantage_scale
        self.zero_std = zero_std
        self.importance = importance
        self.proximal = proximal
        self.loss_average = loss_average
        self.kl_coef = kl_coef
        self.kl_target = kl_target
        self.mask_truncated = mask_truncated
        self.allow_different_starts = allow_different_starts
        self.group_start = group_start
        self.state_share = state_share
        self.reference_policy: ActorCriticPolicy | None = None
        self.n_trained_transitions = 0
        """Number of the ``num_timesteps`` that have been trained on."""
        if _init_setup_model:
            self._setup_model()
            self._setup_groups()

    def _setup_model(self) -> None:
        check_settings(vars(self))
        self.lr_schedule = BoundedSchedule(self.learning_rate)
        self.clip_range = BoundedSchedule(self.clip_range)
        if self.clip_range_high is not None:
            self.clip_range_high = BoundedSchedule(self.clip_range_high)
        self.set_random_seed(self.seed)
        self.policy = self._make_policy()
        self.rollout_buffer = EpisodeBuffer(self.n_envs, self.group_size, self.gamma, self.allow_different_starts)
        self._maybe_recommend_cpu()

    def _make_policy(self) -> ActorCriticPolicy:
        policy = self.policy_class(self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs)
        return policy.to(self.device)  # type: ignore[return-value]

    def train(self) -> None:
        """Update the policy with the complete groups."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        objective = self._objective()
        self._log_groups()
        batch = self._take_batch()
        if batch is not None:
            self._update(batch, objective)
            self.n_trained_transitions += len(batch.weights)
            self._log_policy(batch)
        self.logger.record("grpo/trained_fraction", self.n_trained_transitions / self.num_timesteps)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _objective(self) -> Objective:
        low = BoundedSchedule(self.clip_range)(self._current_progress_remaining)
        high = low
        self.logger.record("train/clip_range", low)
        if self.clip_range_high is not None:
            high = BoundedSchedule(self.clip_range_high)(self._current_progress_remaining)
            self.logger.record("train/clip_range_high", high)
        if self.kl_coef > 0.0:
            self.logger.record("train/kl_coef", self.kl_coef)
        return Objective(low, high, self.dual_clip, self.importance, self.ent_coef, self.kl_coef)

    def _take_batch(self) -> Batch | None:
        episodes = self.rollout_buffer.take()
        if episodes is None:
            return None
        compute = outcome_advantages if self.advantage == "outcome" else process_advantages
        advantages = compute(episodes.rewards, episodes.lengths, self.group_size, self.gamma, self.advantage_scale)
        batch = make_batch(episodes, advantages, self.loss_average, self.mask_truncated, self.device)
        if batch is None:
            return None
        if self.proximal == "latest":
            latest = self._log_probs(self.policy, batch)
            weights = (latest - batch.transitions.log_probs).exp().clamp(max=1.0)
            transitions = batch.transitions._replace(log_probs=latest)
            batch = batch._replace(transitions=transitions, advantages=batch.advantages * weights)
        if self.kl_coef > 0.0 and self.reference_policy is not None:
            batch = batch._replace(reference_log_probs=self._log_probs(self.reference_policy, batch))
        return batch

    def _update(self, batch: Batch, objective: Objective) -> None:
        logged: list[dict[str, th.Tensor]] = []
        for epoch in range(self.n_epochs):
            begin, close = len(logged), True
            parts = minibatches(batch, self.batch_size, whole_episodes=self.importance == "episode")
            for rows in parts:
                loss, terms = objective.loss(self.policy, batch.part(rows, len(parts)))
                logged.append(terms)
                close = self.target_kl is None or terms["approx_kl"].item() <= 1.5 * self.target_kl
                if not close:
                    if self.verbose >= 1:
                        print(f"Early stopping at step {epoch} due to reaching max kl: {terms['approx_kl'].item():.2f}")
                    break
                self._descend(loss)
            self._n_updates += 1
            if not close:
                break
        for name in logged[-1]:
            # as PPO logs them: the KL divergence of the last epoch, the last loss, the means of the others
            values = logged[begin:] if name == "approx_kl" else logged[-1:] if name == "loss" else logged
            self.logger.record(f"train/{name}", th.stack([terms[name] for terms in values]).mean().item())
        if self.kl_target is not None:
            self._adapt_kl_coef(th.stack([terms["kl"] for terms in logged]).mean().item(), self.kl_target)

    def _descend(self, loss: th.Tensor) -> None:
        self.policy.optimizer.zero_grad()
        loss.backward()
        norm = th.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        if not norm.isfinite():
            raise ValueError(
                f"the gradient is not finite in update {self._n_updates}, at step {self.num_timesteps}; the model keeps the "
                "parameters from before: a smaller learning rate or clip range may help"
            )
        self.policy.optimizer.step()

    def _adapt_kl_coef(self, kl: float, target: float) -> None:
        # PPO, arXiv 1707.06347, section 4
        if kl > 1.5 * target:
            self.kl_coef *= 2.0
        elif kl < target / 1.5:
            self.kl_coef /= 2.0

    def _log_groups(self) -> None:
        buffer = self.rollout_buffer
        groups = buffer.spread_groups + buffer.flat_groups
        returns = np.array([group.returns for group in groups])
        in_state = np.array([group.in_state for group in groups])
        self.logger.record("grpo/n_groups", len(groups))
        self.logger.record("grpo/frac_groups_zero_std", len(buffer.flat_groups) / len(groups))
        self.logger.record("grpo/zero_std_streak", buffer.zero_std_streak)
        if not in_state.all():
            self.logger.record("grpo/reward_mean", returns[~in_state].mean())
        if self._states is not None:
            self.logger.record("grpo/frac_groups_in_state", in_state.mean())
        self.logger.record("grpo/reward_std_within", returns.std(axis=1).mean())
        if buffer.broken_groups:
            self.logger.record("grpo/n_groups_broken_off", len(buffer.broken_groups))
        buffer.clear_statistics()

    @th.no_grad()
    def _log_policy(self, batch: Batch) -> None:
        rows = np.unique(np.linspace(0, len(batch.weights) - 1, N_LOGGED).astype(int))
        seen, actions, _ = batch.part(th.as_tensor(rows, device=self.device)).transitions
        distribution = self.policy.get_distribution(seen)  # type: ignore[arg-type]
        self.logger.record("train/entropy_loss", -entropy(distribution, distribution.log_prob(actions)).mean().item())
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", self.policy.log_std.exp().mean().item())
        if hasattr(self.policy, "kl_to_reference"):
            kl = cast(EncodingPolicy, self.policy).kl_to_reference(seen).mean().item()
            self.logger.record("train/kl_to_sft", kl)
            if self.kl_coef == 0.0:
                self.logger.record("train/kl", kl)
        if hasattr(distribution, "delta"):
            norms = distribution.delta.norm(dim=2)
            self.logger.record("train/delta_norm_mean", norms.mean().item())
            self.logger.record("train/delta_norm_max", norms.max().item())

    def _take_reference(self) -> None:
        self.reference_policy = self._make_policy()
        self.reference_policy.load_state_dict(self.policy.state_dict())
        self.reference_policy.set_training_mode(False)

    @th.no_grad()
    def _log_probs(self, policy: ActorCriticPolicy, batch: Batch) -> th.Tensor:
        parts = []
        for rows in th.arange(len(batch.weights), device=self.device).split(max(self.batch_size, N_LOGGED)):
            seen, actions, _ = batch.part(rows).transitions
            parts.append(policy.get_distribution(seen).log_prob(actions))  # type: ignore[arg-type]
        return th.cat(parts)

    def learn(
        self: SelfGRPO,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "GRPO",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> SelfGRPO:
        given: object = total_timesteps
        if not is_number(given) or given < 0:
            raise ValueError(f"total_timesteps={short_repr(total_timesteps)}: expected a number of env steps, 0 or more")
        check_settings(vars(self))
        if reset_num_timesteps:
            self.n_trained_transitions = 0
        if self.kl_coef > 0.0 and self.reference_policy is None and not hasattr(self.policy, "kl_to_reference"):
            self._take_reference()
        return super().learn(total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar)

    def set_parameters(
        self, load_path_or_dict: str | TensorDict, exact_match: bool = True, device: th.device | str = "auto"
    ) -> None:
        params = load_path_or_dict
        if not isinstance(params, dict):
            params = load_from_zip_file(cast(str, load_path_or_dict), device=device, load_data=False)[1]
        if "reference_policy" in params and self.reference_policy is None:
            self._take_reference()
        super().set_parameters(params, exact_match, device)

    def _excluded_save_params(self) -> list[str]:
        # a loaded model begins its episodes again
        return [*super()._excluded_save_params(), "_states"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        names, variables = super()._get_torch_save_params()
        return names if self.reference_policy is None else [*names, "reference_policy"], variables
