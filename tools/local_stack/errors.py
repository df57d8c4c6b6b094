"""The one error of this program."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message is one line: which part, what happened, what to do."""
