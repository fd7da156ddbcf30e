"""Closed-loop evaluation in CARLA: suites, drives, results and their table."""
