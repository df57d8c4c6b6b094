"""What a command of the stack reports as one line."""

from __future__ import annotations


class StackError(Exception):
    """A part cannot be started, a request is wrong, or a run is refused; the message is for the person who called.

    Args:
        message: one line: what, where, what to do.
        heading: section of `docs/operations.md` that says more.
    """

    def __init__(self, message: str, *, heading: str = "StackError") -> None:
        super().__init__(message)
        self.heading = heading


class RefusedError(StackError):
    """A server refused what it was asked for, or was never reached: nothing has changed there."""
