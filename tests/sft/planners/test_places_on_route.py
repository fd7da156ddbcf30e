"""Road users relative to the route."""

import math

import pytest
import torch

from sb3_delta_waypoint.sft.planners.among_others import places_on_route


def place(x: float, y: float, yaw: float, route: torch.Tensor) -> list[float]:
    agents = torch.zeros(1, 16, 7)
    agents[0, 3, :3] = torch.tensor([x, y, yaw])
    return places_on_route(agents, route[None])[0, 3].tolist()


def test_beside_a_straight_route():
    route = torch.stack([3.0 * torch.arange(1, 11), torch.zeros(10)], dim=1)
    assert place(15.5, 2.0, 0.5, route) == pytest.approx([12.5, 2.0, math.cos(0.5), math.sin(0.5)], abs=1e-5)
    assert place(-4.0, -1.0, 0.0, route)[:2] == pytest.approx([-7.0, -1.0], abs=1e-5), "before the first point"
    assert place(50.0, 1.0, 0.0, route)[:2] == pytest.approx([47.0, 1.0], abs=1e-5), "beyond the last one"


def test_round_a_corner():
    corner = [(3.0, 0.0), (6.0, 0.0), (9.0, 0.0), (9.0, 3.0), (9.0, 6.0), (9.0, 9.0), (9.0, 12.0), (9.0, 15.0), (9.0, 18.0)]
    route = torch.tensor([*corner, (9.0, 21.0)])
    # one who comes towards the car on the left of the route
    assert place(7.0, 12.5, -math.pi / 2, route) == pytest.approx([6.0 + 12.5, 2.0, -1.0, 0.0], abs=1e-5)


def test_past_the_goal_the_route_stands_still():
    route = torch.tensor([(3.0, 0.0), (6.0, 0.0)] + [(8.0, 0.0)] * 8)
    assert place(8.0, 1.5, 0.0, route)[:2] == pytest.approx([5.0, 1.5], abs=1e-5)
    nowhere = torch.zeros(10, 2)
    assert all(map(math.isfinite, place(4.0, 1.0, 0.0, nowhere)))
