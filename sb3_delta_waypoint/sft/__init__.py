"""Supervised planners: the network, its training by behaviour cloning, and its file."""
