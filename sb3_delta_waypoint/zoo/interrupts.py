"""Handling of Ctrl-C during training with the front end."""

import signal
from types import FrameType

from stable_baselines3.common.callbacks import BaseCallback


class StopOnInterrupt(BaseCallback):
    """
    A callback and context manager that handles Ctrl-C. Within the context, the first Ctrl-C stops training after the current
    step, so that no file is left half written; a second one interrupts at once.

    :param at_once: let the first Ctrl-C interrupt at once; needed with worker processes, which receive it too and end in the
        middle of a step
    """

    def __init__(self, at_once: bool = False) -> None:
        super().__init__()
        self.at_once = at_once
        self.requested = False

    def __enter__(self) -> "StopOnInterrupt":
        self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _request(self, signal_number: int, frame: FrameType | None) -> None:
        if self.requested or self.at_once:
            self.requested = True
            raise KeyboardInterrupt
        self.requested = True
        print("\nInterrupted: what is under way is finished first (again: at once)", flush=True)

    def _on_step(self) -> bool:
        return not self.requested
