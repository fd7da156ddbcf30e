"""Base seeds of the scenarios that policies are judged on, far from the seeds people train with."""

SELECTION_SEED = 1_000_003
"""Default base seed of the scenarios on which checkpoints are selected."""

REPORT_SEED = 2_000_003
"""Default base seed of the scenarios on which results are reported: neither trained on nor selected on."""
