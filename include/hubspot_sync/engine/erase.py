"""Erase one person: first from everything that is to come, then from HubSpot, from the landed files, from the tables.

Every step may be repeated, and a program that dies in between is started again. Until the end no run may take the lock
of the sync: a run under way could write the contact anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.protocol import Account, AnswerHead, ReadAnswer, Verdict
from include.hubspot_sync.errors import AuthError, ConfigError, TransientError
from include.hubspot_sync.source.erasure import LandedErasure, erase_from_landing
from include.hubspot_sync.source.landing import Landing
from include.hubspot_sync.store import erasure
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.erasure import Person

log = logging.getLogger(__name__)

Head = TypeVar("Head", bound=AnswerHead)

ATTEMPTS = 5
FIRST_WAIT_S = 2.0
"""Before the second attempt of a request; doubled each time."""


class ErasingDestination(Protocol):
    """What an erasure asks of a portal; every call sends exactly one request."""

    async def account(self) -> Account:
        """Ask which portal answers."""

    async def read(self, key_texts: list[str]) -> ReadAnswer:
        """Read contacts by key."""

    async def erase(self, hubspot_id: int) -> AnswerHead:
        """Delete a contact for good."""


@dataclass(frozen=True, slots=True)
class EraseWork:
    """The collaborators of an erasure."""

    definition: SyncDefinition
    database: Database
    landing: Landing
    open_destination: Callable[[], AbstractAsyncContextManager[ErasingDestination]]
    """Makes a client; one is made per attempt."""
    folder: Path
    """Empty folder with room for the largest landed file, twice."""
    actor: str
    reason: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def erase(work: EraseWork, key_text: str) -> dict[str, int]:
    """Erase a person by the key of the record.

    Returns:
        What was found and is gone: contacts, landed files, their lines, old versions of objects, rows by table. All are
        zero when the person was erased before.

    Raises:
        LockHeldError: a run is under way.
        ConfigError: the contact holds others that were merged into it, or a right is missing.
        SyncError: a system cannot be used; start the erasure again.
    """
    person = Person(work.definition.name, key_text)
    work.database.run(partial(erasure.suppress, person=person))
    portal_id = asyncio.run(_portal_id(work))
    found = work.database.run(partial(_erase, work=work, person=person, portal_id=portal_id))
    log.info("person erased sync=%s key_hash=%s", person.sync_name, person.key_hash.hex())
    return found


async def _portal_id(work: EraseWork) -> int:
    async with work.open_destination() as destination:
        portal_id = (await destination.account()).portal_id
    wanted = work.definition.destination.portal_id
    if wanted is not None and portal_id != wanted:
        raise AuthError(
            f"connection {work.definition.connections.hubspot} belongs to portal {portal_id}, but the definition names "
            f"{wanted}: use the token of that portal"
        )
    return portal_id


def _erase(transaction: Transaction, work: EraseWork, person: Person, portal_id: int) -> dict[str, int]:
    """Do everything else in one transaction: its lock row keeps runs away, and its rows go last."""
    drain_s = work.definition.delivery.request_timeout_s
    erasure.hold_lock_row(transaction, person.sync_name, portal_id, drain_s=drain_s)
    contacts = asyncio.run(_erase_contacts(work, person, erasure.known_contacts(transaction, person)))
    definition = work.definition
    landed = erase_from_landing(work.landing, definition.source, definition.record, person.key_text, work.folder)
    rows = erasure.erase_rows(transaction, person, definition)
    found = {"contacts": contacts, **_landed_counts(landed), **rows}
    erasure.audit(transaction, person, actor=work.actor, reason=work.reason, found=found)
    return found


def _landed_counts(landed: LandedErasure) -> dict[str, int]:
    return {"landed_files": landed.files, "landed_lines": landed.lines, "old_object_versions": landed.old_versions}


async def _erase_contacts(work: EraseWork, person: Person, known: frozenset[int]) -> int:
    """Delete the person's contacts, archived ones included, and prove that none is found any more."""
    async with work.open_destination() as destination:
        read = partial(destination.read, [person.key_text])
        present = (await _ask(work, read)).found.get(person.key_text)
        if present is not None and present.merged:
            raise ConfigError(
                f"contact {present.hubspot_id} holds other contacts that were merged into it: delete it in hubspot by "
                "hand after a look at them, then erase again"
            )
        ids = known | ({present.hubspot_id} if present else set())
        for hubspot_id in sorted(ids):
            await _ask(work, partial(destination.erase, hubspot_id))
        if ids and (await _ask(work, read)).found:
            raise TransientError("hubspot still has the contact after its deletion: erase again in a minute")
    return len(ids)


async def _ask(work: EraseWork, request: Callable[[], Awaitable[Head]]) -> Head:
    """Send a request until its answer is settled.

    Raises:
        SyncError: it is not after some attempts, or repeating cannot help.
    """
    wait_s = FIRST_WAIT_S
    for attempt in range(ATTEMPTS):
        answer = await request()
        if answer.verdict is Verdict.SETTLED:
            return answer
        if answer.verdict not in (Verdict.RETRY, Verdict.SLOW) or attempt == ATTEMPTS - 1:
            break
        await work.sleep(max(wait_s, answer.retry_after_s or 0))
        wait_s *= 2
    raise error_from(answer)
