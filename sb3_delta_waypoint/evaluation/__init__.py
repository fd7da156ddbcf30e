"""Judging a policy: rollouts over fixed scenarios, open-loop errors, statistics, comparison, report, selection."""
