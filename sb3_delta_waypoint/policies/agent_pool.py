"""The heads' own encoder of other road users."""

import torch as th
from torch import nn

from sb3_delta_waypoint.contract import OBSERVED_AGENTS
from sb3_delta_waypoint.sft.planners.among_others import AGENT_NUMBERS, mlp

AGENTS_SIZE = OBSERVED_AGENTS * AGENT_NUMBERS
"""Numbers of all road users in the heads' inputs."""
POOL_WIDTH = 32
"""Numbers to which they are pooled."""


class AgentPool(nn.Module):
    """
    An encoder of the road users in the inputs of a head: a perceptron that is the same for each of them, and the maximum over
    those present, so that their order means nothing (PointNet, Qi et al., CVPR 2017).
    """

    def __init__(self) -> None:
        super().__init__()
        self.agents = mlp(AGENT_NUMBERS, POOL_WIDTH, POOL_WIDTH)

    def forward(self, inputs: th.Tensor) -> th.Tensor:
        """
        Pool the road users.

        :param inputs: ``(B, F)``; first the rows of the road users, see :func:`~.among_others.agent_rows`
        :return: ``(B, F - AGENTS_SIZE + POOL_WIDTH)``, the other inputs and the pooled numbers
        """
        rows = inputs[:, :AGENTS_SIZE].unflatten(1, (OBSERVED_AGENTS, AGENT_NUMBERS))
        absent = rows[..., -1:] < 0.5
        # nobody at all is as good as somebody who does not matter, 0
        pooled = self.agents(rows).masked_fill_(absent, -th.inf).amax(dim=1).relu()
        return th.cat([inputs[:, AGENTS_SIZE:], pooled], dim=1)
