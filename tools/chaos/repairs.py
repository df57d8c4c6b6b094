"""What will be repaired later, and waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Repairs:
    """Repairs in threads of their own; they end with this program."""

    _all: list[threading.Thread] = field(default_factory=list)
    _of_part: dict[str, threading.Thread] = field(default_factory=dict)
    """The last repair of each part."""

    def later(self, seconds: float, work: Callable[[], None]) -> threading.Thread:
        """Do something after a while."""
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        timer.start()
        self._all.append(timer)
        return timer

    def repair(self, part: str, seconds: float, work: Callable[[], None]) -> None:
        """Repair a part after a while."""
        self._of_part[part] = self.later(seconds, work)

    def wait_for(self, part: str) -> None:
        """Wait for the repair of a part: what is broken already cannot be broken."""
        if part in self._of_part:
            self._of_part[part].join()

    def wait(self) -> None:
        """Wait for everything."""
        for thread in self._all:
            thread.join()
        self._all.clear()
