"""Find contacts that have a key of this sync although the ledger does not know them."""

from __future__ import annotations

import logging
from functools import partial

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
"""Contacts between two lines in the log: a page of 200 takes about half a second."""


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
    seen, foreign, after_id = 0, 0, 0
    while True:
        page = await _page(sender, destination, after_id)
        ours = [key_text for key_text in page.key_texts.values() if _is_ours(key_text)]
        if ours:
            await store.run(in_turn(turn, partial(_doubt, run=run, key_texts=ours)))
        seen += len(page.key_texts)
        if seen % PROGRESS_EVERY < len(page.key_texts):
            log.info("searching the portal run_id=%d keyed_contacts=%d", run.run_id, seen)
        foreign += len(page.key_texts) - len(ours)
        if page.is_last:
            break
        after_id = max(page.key_texts)
    if foreign:
        log.warning("%d contacts have a key in a form the sync never writes: left alone", foreign)
    log.info("portal searched run_id=%d keyed_contacts=%d", run.run_id, seen)
    return seen


def _is_ours(key_text: str) -> bool:
    return key_text == fold_key(key_text) and len(key_text) <= MAX_KEY_CHARS


def _doubt(transaction: Transaction, *, run: Run, key_texts: list[str]) -> None:
    ledger.doubt_strays(transaction, run, key_texts)


async def _page(sender: Sender, destination: Destination, after_id: int) -> SearchAnswer:
    answer = (await sender.send(lambda: destination.search_keys(after_id))).answer
    if answer.verdict is not Verdict.SETTLED:
        raise error_from(answer)
    return answer
