"""Scores of the CARLA leaderboard and of Bench2Drive, and their result files."""
