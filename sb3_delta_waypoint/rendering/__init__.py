"""Pictures of a drive: the bird's-eye view, and what a camera sees."""

from pathlib import Path

from sb3_delta_waypoint.driving.kernels import forget_stale_kernels

forget_stale_kernels(Path(__file__).parent)
