"""The planner that is refined: its network, its training by behaviour cloning, its file."""
