"""Evaluation of policies: rollouts over fixed scenarios, open-loop errors, statistics, comparison, report, selection."""
