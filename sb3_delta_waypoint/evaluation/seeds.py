"""Base seeds of the scenarios of evaluations, far from the usual training seeds."""

SELECTION_SEED = 1_000_003
"""Default base seed of the scenarios on which checkpoints are selected."""

REPORT_SEED = 2_000_003
"""Default base seed of the scenarios on which results are reported, which are used neither for training nor for selection."""
