"""Demonstration episodes: the schema of their files, and reading, writing and recording them."""
