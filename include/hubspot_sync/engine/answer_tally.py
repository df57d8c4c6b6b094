"""Answers of HubSpot on their way from the client to the tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from include.hubspot_sync.records import HeardAnswer


class AnswerTally:
    """What the client heard and nobody has stored yet.

    The client hears every answer, whatever asks. It must not wait for MySQL, and most answers are followed by a
    transaction anyway, which takes along what is here. A killed process loses only what has come since.
    """

    def __init__(self) -> None:
        self._answers: list[HeardAnswer] = []

    def hear(self, answer: HeardAnswer) -> None:
        """Keep an answer, or that none came."""
        self._answers.append(answer)

    @contextlib.contextmanager
    def handed_over(self) -> Iterator[Sequence[HeardAnswer]]:
        """Yield what is here to be stored; it comes back when that fails."""
        answers, self._answers = self._answers, []
        try:
            yield answers
        except BaseException:
            self._answers = [*answers, *self._answers]
            raise
