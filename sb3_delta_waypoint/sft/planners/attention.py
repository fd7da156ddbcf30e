"""A planner that sees other road users, by attention."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from sb3_delta_waypoint.contract import EGO_GROUPS, PLAN_DT, TRAFFIC_GROUPS
from sb3_delta_waypoint.sft.planners.among_others import AGENT_NUMBERS, PlannerAmongOthers, mlp


class AttentionWaypointModel(PlannerAmongOthers):
    """
    A planner with attention over the state, the route, the signal and the other road users.

    As in PlanT (Renz et al., CoRL 2022, https://arxiv.org/abs/2210.14222) every object is one token, by a linear layer per
    type: the state, the route with its speed limits, the signal, and each road user who is present. The plan is one more
    token, which begins as the sum of those about the car itself; in each layer it attends to all of them. In contrast to PlanT
    the others do not attend to one another, which would take most of the time and tell the plan little that their own motion
    does not.

    :param horizon_steps: H, number of waypoints in a plan
    :param plan_dt: seconds from one waypoint to the next
    :param width: width of the tokens; the plan's last one is the latent
    :param n_layers: number of layers
    :param n_heads: number of heads of attention in each
    :param groups: names of the observation groups to read, see :class:`~.among_others.PlannerAmongOthers`
    :raises ValueError: if an argument is invalid
    """

    def __init__(
        self,
        horizon_steps: int = 20,
        plan_dt: float = PLAN_DT,
        width: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        groups: Sequence[str] = EGO_GROUPS + TRAFFIC_GROUPS,
    ) -> None:
        super().__init__(horizon_steps, plan_dt, groups, width=width, n_layers=n_layers, n_heads=n_heads)
        self.latent_dim = width
        state, route, limits, signal = (self.ego_widths.get(name, 0) for name in ("state", "route", "speed_limit", "signal"))
        # one token for the route with its limits
        self.ego_split = [size for size in (state, route + limits, signal) if size]
        self.ego_tokens = nn.ModuleList(nn.Linear(size, width) for size in self.ego_split)
        # a second layer would be linear, and so are keys and values; the bias is one of the numbers
        self.agent_tokens = nn.Linear(AGENT_NUMBERS, width, bias=False)
        self.layers = nn.ModuleList(_Layer(width, n_heads) for _ in range(n_layers))
        self.latent_norm = nn.LayerNorm(width)
        self.head = mlp(width, 2 * width, 2 * horizon_steps)

    def forward(self, observation: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return plans for a batch of observations.

        :param observation: observations by group, each (B, …), physical units; other keys are ignored
        :return: latent (B, D), waypoints (B, H, 2) in metres, ego frame
        :raises ValueError: if a group is missing or has a wrong shape
        """
        ego, agents, present = self.inputs(observation)
        parts = zip(self.ego_tokens, ego.split(self.ego_split, dim=1), strict=True)
        own = torch.stack([token(values) for token, values in parts], dim=1).relu_()
        others = self.agent_tokens(agents).relu_()
        absent = torch.zeros_like(agents[..., 0]).masked_fill_(~present, -torch.inf)[:, None]
        plan = own.sum(dim=1)
        for layer in self.layers:
            plan = layer(plan, own, others, absent)
        latent = self.latent_norm(plan)
        return latent, self.plans(self.head(latent))


class _Layer(nn.Module):
    """
    A pre-norm transformer layer in which one token attends to others.

    Keys and values would be linear in the tokens. With a single query it is cheaper to multiply the query by the keys' matrix
    and the output by the values', so each head's query is as wide as the tokens, and there are no such matrices.
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.shape = (n_heads, width)
        self.norm = nn.LayerNorm(width)
        self.query, self.out = nn.Linear(width, n_heads * width), nn.Linear(n_heads * width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = mlp(width, 2 * width, width)

    def forward(self, plan: torch.Tensor, own: torch.Tensor, others: torch.Tensor, absent: torch.Tensor) -> torch.Tensor:
        """
        :param plan: (B, D)
        :param own: (B, S, D), tokens to attend to
        :param others: (B, T, D), further ones; joining them would take longer than all else
        :param absent: (B, 1, T), 0 for further tokens that are there, and minus infinity for the others
        :return: (B, D)
        """
        query = self.query(self.norm(plan)).unflatten(1, self.shape) * self.shape[1] ** -0.5
        scores = [query @ own.transpose(1, 2), torch.baddbmm(absent, query, others.transpose(1, 2))]
        to_own, to_others = torch.cat(scores, dim=2).softmax(dim=2).split([own.shape[1], others.shape[1]], dim=2)
        plan = plan + self.out(torch.baddbmm(to_own @ own, to_others, others).flatten(1))
        return plan + self.mlp(self.mlp_norm(plan))
