"""The demonstration contract: what an episode file holds, reading, writing and recording it."""
