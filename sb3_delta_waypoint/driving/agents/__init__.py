"""Other road users: how they decide what to do."""

from pathlib import Path

from sb3_delta_waypoint.driving.kernels import forget_stale_kernels

forget_stale_kernels(Path(__file__).parent)
