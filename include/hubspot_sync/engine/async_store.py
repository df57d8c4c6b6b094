"""The store for asynchronous code: one connection, one thread, one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.records import Phase
from include.hubspot_sync.store.connection import Database, Transaction

T = TypeVar("T")


class AsyncStore:
    """Runs transactions beside the event loop, so that a slow commit never delays an answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction; see `Database.run`."""
        with spent_on(Phase.COMMIT):
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._database.run, work)

    def close(self) -> None:
        """Wait for the running transaction and close the connection."""
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()
