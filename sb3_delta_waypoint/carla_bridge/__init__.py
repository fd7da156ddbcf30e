"""Driving in CARLA through its own client: the environment, its parts, and a loopback server to run it on."""
