"""Driving in CARLA through CARLA's own client: the env, its parts, and a loopback server to run it on."""
