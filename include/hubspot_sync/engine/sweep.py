"""Find contacts that have a key of this sync although the ledger does not know them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.protocol import Destination, SearchAnswer, Verdict
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.source.key_text import MAX_KEY_CHARS, fold_key
from include.hubspot_sync.store import ledger
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.lock import Turn, in_turn
from include.hubspot_sync.store.runs import Run

log = logging.getLogger(__name__)

PROGRESS_EVERY = 5_000
"""Contacts between two lines in the log."""
SEARCHES_AT_ONCE = 4
SEARCH_INTERVAL_S = 0.25
"""HubSpot allows an account five searches in a second, all its programs together."""


@dataclass(slots=True)
class Sweep:
    """One search through the portal, in several parts at once."""

    store: AsyncStore
    sender: Sender
    destination: Destination
    turn: Turn
    seen: int = 0
    foreign: int = 0
    _next_at: float = 0.0

    async def search(self, after_id: int, up_to_id: int | None) -> None:
        """Page through one part and put the keys in doubt that the ledger does not know."""
        while True:
            page = await self._page(after_id, up_to_id)
            ours = [key_text for key_text in page.key_texts.values() if _is_ours(key_text)]
            if ours:
                doubt = partial(_doubt, run=self.turn.run, key_texts=ours)
                await self.store.run(in_turn(self.turn, doubt))
            self.foreign += len(page.key_texts) - len(ours)
            self.seen += len(page.key_texts)
            if self.seen % PROGRESS_EVERY < len(page.key_texts):
                log.info("searching the portal run_id=%d keyed_contacts=%d", self.turn.run.run_id, self.seen)
            if page.is_last:
                return
            after_id = max(page.key_texts)

    async def _page(self, after_id: int, up_to_id: int | None) -> SearchAnswer:
        await self._take_turn()
        answer = (await self.sender.send(lambda: self.destination.search_keys(after_id, up_to_id))).answer
        if answer.verdict is not Verdict.SETTLED:
            raise error_from(answer)
        return answer

    async def _take_turn(self) -> None:
        clock = asyncio.get_running_loop().time
        at = max(clock(), self._next_at)
        self._next_at = at + SEARCH_INTERVAL_S
        await self.sender.sleep(at - clock())


async def doubt_strays(store: AsyncStore, sender: Sender, destination: Destination, turn: Turn) -> int:
    """Page through every keyed contact of the portal and put those in doubt that the ledger does not know.

    They are read like every key in doubt, so that the delta archives those which the source does not have.
    A key that is not in folded form was written by somebody else; HubSpot compares without case, so it may be the
    twin of a key of ours: it is reported and left alone.

    Returns:
        How many keyed contacts the portal holds.

    Raises:
        SyncError: a page could not be read after the retries, or the planner's turn is over.
    """
    run = turn.run
    sweep = Sweep(store, sender, destination, turn)
    ends = await store.run(partial(ledger.id_parts, sync_name=run.sync_name, parts=SEARCHES_AT_ONCE))
    # the last part has no end: contacts that came after every known one belong to it
    parts = pairwise([0, *ends[:-1], None])
    try:
        async with asyncio.TaskGroup() as group:
            for after_id, up_to_id in parts:
                group.create_task(sweep.search(after_id or 0, up_to_id))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    if sweep.foreign:
        log.warning("%d contacts have a key in a form the sync never writes: left alone", sweep.foreign)
    log.info("portal searched run_id=%d keyed_contacts=%d", run.run_id, sweep.seen)
    return sweep.seen


def _is_ours(key_text: str) -> bool:
    return key_text == fold_key(key_text) and len(key_text) <= MAX_KEY_CHARS


def _doubt(transaction: Transaction, *, run: Run, key_texts: list[str]) -> None:
    ledger.doubt_strays(transaction, run, key_texts)
