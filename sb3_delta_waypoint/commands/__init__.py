"""The sub-commands of ``sb3-delta-waypoint``, one click command per module."""
