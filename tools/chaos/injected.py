"""A fault that was injected, and how long the system took to confirm rows again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tools.chaos.kinds import Kind
from tools.chaos.tables import Confirmation, Owner

WAKE_WINDOW = timedelta(seconds=5)
"""How soon after its waking a stopped process sends what it had checked before."""


def utc_now() -> datetime:
    """Return the time of this machine as the tables write it: UTC, without a zone."""
    return datetime.now(tz=UTC).replace(tzinfo=None)


@dataclass(slots=True)
class Injected:
    """One fault.

    What counts as recovered depends on what was hit: after an outage any row confirmed since its end; after a fault of
    one try a row of the same shard confirmed by another try; after a fault of everything that runs, a row confirmed by
    a try that did not run before.
    """

    kind: Kind
    level: str
    is_outage: bool = False
    victim: Owner | None = None
    before: frozenset[tuple[int, str]] = frozenset()
    """Run and name of the tries that ran when the fault came."""
    is_alone: bool = True
    """No other fault was still being recovered from."""
    is_forgotten: bool = False
    """Its recovery does not disturb later faults any more."""
    began: datetime = field(default_factory=utc_now)
    over: datetime | None = None
    """When what was broken worked again, or the stopped process went on."""
    recovered_at: datetime | None = None

    def end(self) -> None:
        """Note that what was broken works again."""
        self.over = utc_now()

    def look(self, confirmations: Iterable[Confirmation]) -> bool:
        """Note the first confirmation that shows the recovery; return whether there is one."""
        if self.recovered_at is None:
            self.recovered_at = next((one.at for one in confirmations if self._shows_recovery(one)), None)
        return self.recovered_at is not None

    def _shows_recovery(self, one: Confirmation) -> bool:
        if one.at <= self.began:
            return False
        if self.is_outage:
            return self.over is not None and one.at > self.over
        if self.victim is None:
            return (one.owner.run_id, one.owner.name) not in self.before
        if (one.owner.run_id, one.owner.shard) != (self.victim.run_id, self.victim.shard):
            return False
        return one.owner.name != self.victim.name or (self.over is not None and one.at > self.over)

    @property
    def recovery_s(self) -> float | None:
        """Return the seconds from the fault to the first newly confirmed row, None when nothing was left to confirm."""
        return (self.recovered_at - self.began).total_seconds() if self.recovered_at else None

    @property
    def recovery_after_s(self) -> float | None:
        """Return the same from the end of the outage."""
        if self.recovered_at is None or self.over is None or not self.is_outage:
            return None
        return (self.recovered_at - self.over).total_seconds()

    def explains_write_at(self, at_ms: int) -> bool:
        """Tell whether a process that this fault had stopped may have sent something at this moment."""
        if self.kind is not Kind.ZOMBIE or self.over is None:
            return False
        moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC).replace(tzinfo=None)
        return self.over <= moment <= self.over + WAKE_WINDOW
