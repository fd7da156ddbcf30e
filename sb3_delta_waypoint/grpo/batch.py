"""From the episodes of complete groups to minibatches."""

from typing import NamedTuple

import numpy as np
import torch as th

from sb3_delta_waypoint.grpo.buffer import Episodes, Transitions, map_tensors, select
from sb3_delta_waypoint.grpo.losses import loss_weights


class Batch(NamedTuple):
    """
    The training data of an update: ``N`` transitions of ``E`` episodes, concatenated.

    ``advantages``: ``(N,)``, weighted; ``weights``: ``(N,)``, see :func:`~.losses.loss_weights`; ``episodes``: ``(N,)``, the
    episode of each transition; ``lengths``: ``(E,)``; ``divisor``: divisor of the loss's sums over transitions, ``N`` for the
    whole batch; ``reference_log_probs``: ``(N,)``, or None if they are not needed.
    """

    transitions: Transitions
    advantages: th.Tensor
    weights: th.Tensor
    episodes: th.Tensor
    lengths: th.Tensor
    divisor: float
    reference_log_probs: th.Tensor | None = None

    def part(self, rows: th.Tensor, n_parts: int = 1) -> "Batch":
        """
        Return one of the parts that the batch is divided into. The divisor is chosen such that the mean of the parts' losses
        is the loss of the batch, even if the parts differ in size.

        :param rows: numbers of the part's transitions
        :param n_parts: number of parts that the batch is divided into
        :return: the part, on the device of ``rows``; ``lengths`` are still those of all episodes
        """
        transitions = map_tensors(lambda values: values.to(rows.device), select(self.transitions, rows))
        advantages, weights, episodes = (values.index_select(0, rows) for values in self[1:4])
        reference = None if self.reference_log_probs is None else self.reference_log_probs[rows]
        return Batch(transitions, advantages, weights, episodes, self.lengths, self.divisor / n_parts, reference)


def make_batch(
    episodes: Episodes, advantages: np.ndarray, average: str | float, mask_truncated: bool, device: th.device
) -> Batch | None:
    """
    Build the training data of an update.

    :param episodes: the episodes of complete groups
    :param advantages: ``(N,)``
    :param average: average of the loss, see :func:`~.losses.loss_weights`
    :param mask_truncated: omit episodes that a time limit truncated
    :param device: device to train on
    :return: the training data; None if there are no transitions left
    """
    transitions, lengths = episodes.transitions, episodes.lengths
    if mask_truncated:
        kept = np.flatnonzero(np.repeat(~episodes.truncated, lengths))
        transitions = select(transitions, th.from_numpy(kept))
        advantages, lengths = advantages[kept], lengths[~episodes.truncated]
    if len(lengths) == 0:
        return None
    device_lengths = th.as_tensor(lengths, device=device)
    weights = loss_weights(device_lengths, average)
    weighted = th.as_tensor(advantages, dtype=th.float32, device=device) * weights
    numbers = th.arange(len(lengths), device=device).repeat_interleave(device_lengths)
    return Batch(transitions, weighted, weights, numbers, device_lengths, len(weights))


def minibatches(batch: Batch, batch_size: int, whole_episodes: bool = False) -> list[th.Tensor]:
    """
    Divide a batch into parts at random.

    :param batch: the batch to divide
    :param batch_size: approximate number of transitions of a part; parts are equal, so that none is a small, noisy remainder
    :param whole_episodes: keep the transitions of an episode together; parts are then only approximately equal
    :return: the transition numbers of each part; no part is empty
    """
    n_transitions, device = len(batch.weights), batch.weights.device
    n_parts = max(1, round(n_transitions / batch_size))
    if not whole_episodes:
        return list(th.randperm(n_transitions, device=device).tensor_split(n_parts))
    order = th.randperm(len(batch.lengths), device=device)
    # an episode belongs to the part that contains its middle
    ends = batch.lengths[order].cumsum(0)
    part_of = th.empty_like(order)
    part_of[order] = (2 * ends - batch.lengths[order] - 1) * n_parts // (2 * n_transitions)
    part_of = part_of[batch.episodes]
    parts = [(part_of == number).nonzero().flatten() for number in range(n_parts)]
    return [rows for rows in parts if len(rows)]
