"""Everything one simulated portal consists of."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tools.hubspot_simulator.calls import Token, TokenKind
from tools.hubspot_simulator.clock import Clock, RealClock, VirtualClock
from tools.hubspot_simulator.contacts import ContactTable
from tools.hubspot_simulator.counting import Statistics
from tools.hubspot_simulator.latency import Latency
from tools.hubspot_simulator.limiter import Limiter
from tools.hubspot_simulator.locks import RecordLocks
from tools.hubspot_simulator.properties import PropertyRegistry
from tools.hubspot_simulator.randomness import RandomSource
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.storage import FIRST_CONTACT_ID, Store
from tools.hubspot_simulator.structure import RowParser
from tools.hubspot_simulator.validation import ValueChecker

ALL_SCOPES = frozenset(
    {"oauth", "crm.objects.contacts.read", "crm.objects.contacts.write",
     "crm.schemas.contacts.read", "crm.schemas.contacts.write"}
)  # fmt: skip
_OBJECT_SCOPES = frozenset(scope for scope in ALL_SCOPES if ".schemas." not in scope)
FULL_ACCESS = "pat-sim-full-access"
NO_SCHEMA_SCOPES = "pat-sim-no-schema-scopes"
EXPIRED = "pat-sim-expired"


def default_tokens() -> list[Token]:
    """Return the credentials of a fresh portal."""
    return [
        Token(FULL_ACCESS, 1001, TokenKind.SERVICE_KEY, ALL_SCOPES),
        Token(NO_SCHEMA_SCOPES, 1002, TokenKind.SERVICE_KEY, _OBJECT_SCOPES),
        Token(EXPIRED, 1003, TokenKind.SERVICE_KEY, ALL_SCOPES, expired=True),
    ]


class TokenRegistry:
    """The credentials of the portal, cached; the store holds them too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_text: dict[str, Token] = {}
        self.load()

    def load(self) -> None:
        """Read everything anew; create the default ones in an empty store."""
        rows = self._store.connection.execute(
            "SELECT token, app_id, kind, scopes, expired, rate_override FROM token"
        ).fetchall()
        self.by_text = {
            text: Token(text, app, TokenKind(kind), frozenset(json.loads(scopes)), bool(old), rate)
            for text, app, kind, scopes, old, rate in rows
        }
        if not rows:
            self.save(*default_tokens())

    def save(self, *tokens: Token) -> None:
        """Store new or changed tokens."""
        with self._store.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (t.token, t.app_id, str(t.kind), json.dumps(sorted(t.scopes)), t.expired,
                     t.rate_override)
                    for t in tokens
                ],
            )  # fmt: skip
        self.by_text.update({token.token: token for token in tokens})

    def remove(self, text: str) -> None:
        """Delete a token."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM token WHERE token = ?", (text,))
        self.by_text.pop(text, None)


@dataclass(slots=True)
class Portal:
    """One portal: its state, its clock and its rules."""

    settings: Settings
    clock: Clock
    store: Store
    registry: PropertyRegistry
    tokens: TokenRegistry
    table: ContactTable
    checker: ValueChecker
    parser: RowParser
    limiter: Limiter
    locks: RecordLocks
    latency: Latency
    statistics: Statistics
    randomness: RandomSource
    next_id: int = FIRST_CONTACT_ID
    live_contacts: int = 0
    seq: int = 0

    def reload(self) -> None:
        """Read the cached values anew from the store."""
        self.registry.load()
        self.tokens.load()
        self.next_id = int(self.store.get("next_id", str(FIRST_CONTACT_ID)))
        self.seq = max(self.seq, int(self.store.get("seq", "0")))
        self.live_contacts = self.table.live_count()
        used = int(self.store.get("daily_used", "0"))
        self.limiter.daily.load(used, self.store.get("day", ""))

    def save_progress(self) -> None:
        """Store the next id, the request number and the day's count; inside a transaction."""
        self.store.put("next_id", self.next_id)
        self.store.put("seq", self.seq)
        self.store.put("daily_used", self.limiter.daily.used)
        self.store.put("day", self.limiter.daily.day)

    def save_log(self) -> None:
        """Store the progress and the pending part of the request log."""
        with self.store.transaction():
            self.save_progress()
        self.statistics.save()

    def reset(self, *, keep_properties: bool) -> None:
        """Return to an empty portal: contacts, counters, limiter, locks, randomness."""
        self.store.empty(keep_properties=keep_properties)
        self.statistics.reset()
        self.limiter.reset()
        self.locks.reset()
        self.randomness.forget()
        self.seq = 0
        self.reload()


def open_portal(settings: Settings, clock: Clock | None = None) -> Portal:
    """Open the store and put the parts together."""
    clock = clock or (VirtualClock() if settings.clock == "virtual" else RealClock())
    store = Store(settings.db)
    registry = PropertyRegistry(store)
    table = ContactTable(store, settings, registry)
    portal = Portal(
        settings=settings,
        clock=clock,
        store=store,
        registry=registry,
        tokens=TokenRegistry(store),
        table=table,
        checker=ValueChecker(settings, registry),
        parser=RowParser(settings, registry, table),
        limiter=Limiter(settings),
        locks=RecordLocks(settings, clock),
        latency=Latency(settings),
        statistics=Statistics(store, clock),
        randomness=RandomSource(settings.seed),
    )
    portal.reload()
    if settings.daily_used is not None:
        portal.limiter.daily.load(settings.daily_used, "")
    return portal
