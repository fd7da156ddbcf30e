"""A fast planner that sees other road users: what it makes of each is pooled by the maximum."""

from collections.abc import Mapping, Sequence

import torch

from sb3_delta_waypoint.contract import EGO_GROUPS, PLAN_DT, TRAFFIC_GROUPS
from sb3_delta_waypoint.sft.planners.among_others import AGENT_NUMBERS, PlannerAmongOthers, mlp


class PooledWaypointModel(PlannerAmongOthers):
    """
    A planner among other road users for where speed matters: a perceptron that is the same for every road user, the maximum
    over those present, and a perceptron from that and the rest of the observation to the plan (PointNet, Qi et al., CVPR 2017,
    https://arxiv.org/abs/1612.00593).

    :param horizon_steps: H, number of waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param width: width of the perceptron's two hidden layers; the last one is the latent
    :param agent_width: numbers to which the road users are pooled
    :param groups: names of the observation groups to read, see :class:`~.among_others.PlannerAmongOthers`
    :raises ValueError: if an argument is invalid
    """

    def __init__(
        self,
        horizon_steps: int = 20,
        plan_dt: float = PLAN_DT,
        width: int = 128,
        agent_width: int = 32,
        groups: Sequence[str] = EGO_GROUPS + TRAFFIC_GROUPS,
    ) -> None:
        super().__init__(horizon_steps, plan_dt, groups, width=width, agent_width=agent_width)
        self.latent_dim = width
        self.agents = mlp(AGENT_NUMBERS, agent_width, agent_width)
        self.trunk = mlp(agent_width + len(self.ego_mean), width, width)
        self.head = torch.nn.Linear(width, 2 * horizon_steps)

    def forward(self, observation: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return plans for a batch of observations.

        :param observation: observations by group, each (B, …), physical units; other keys are ignored
        :return: latent (B, D), waypoints (B, H, 2) in metres, ego frame
        :raises ValueError: if a group is missing or has a wrong shape
        """
        ego, agents, present = self.inputs(observation)
        # nobody at all is as good as somebody who does not matter, 0
        pooled = self.agents(agents).masked_fill_(~present[..., None], -torch.inf).amax(dim=1).relu()
        latent = self.trunk(torch.cat([ego, pooled], dim=1)).relu()
        return latent, self.plans(self.head(latent))
