"""Hands refused lines on one by one, and stops a file that has too many of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from include.hubspot_sync.errors import SourceDataError
from include.hubspot_sync.records import RejectedLine
from include.hubspot_sync.source.notes import Reason

RAW_CHARS = 1000
_EXAMPLES = 3

RejectCallback = Callable[[RejectedLine], None]


class RejectedCell(Protocol):
    """What is wrong with a line, without the line."""

    @property
    def reason(self) -> Reason:
        """Return the stable code."""

    @property
    def text(self) -> str:
        """Return the explanation."""


@dataclass(slots=True)
class Rejects:
    """The refused lines of one file."""

    callback: RejectCallback
    max_rejects: int
    name: str
    count: int = 0
    withheld_keys: set[str] = field(default_factory=set)
    unreadable_key_lines: int = 0
    _examples: list[str] = field(default_factory=list)

    def add(self, line_no: int, column: str, problem: RejectedCell, *, raw: bytes, key_text: str | None) -> None:
        """Hand one line on.

        Raises:
            SourceDataError: there are more than `max_rejects`.
        """
        self.count += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(f"line {line_no} {column} {problem.reason}".replace("  ", " "))
        if self.count > self.max_rejects:
            raise SourceDataError(
                f"{self.name}: more than {self.max_rejects} lines are refused, the first are "
                f"{'; '.join(self._examples)}: fix the file or the column rules"
            )
        if key_text is None:
            self.unreadable_key_lines += 1
        else:
            self.withheld_keys.add(key_text)
        text = raw[: 4 * RAW_CHARS].decode(errors="replace")[:RAW_CHARS]
        self.callback(RejectedLine(line_no, column, problem.reason, problem.text, text, key_text))
