"""Airflow as far as it matters here: the order of the tasks, tries of a task, clears, and tries that it gave up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from sqlalchemy.util import greenlet_spawn

from include.hubspot_sync.destination.protocol import Account, RateHeaders
from include.hubspot_sync.engine import health, ingest, preflight
from include.hubspot_sync.errors import SyncError, TransientError
from include.hubspot_sync.orchestration import tasks
from include.hubspot_sync.orchestration.wiring import TaskIdentity
from tests.chaos.engine.processes import Process

if TYPE_CHECKING:
    from tests.chaos.engine.world import World

PORTAL = 4711004
_RETRIES = 9
_FIRST_DELAY_S = 3.0
_LONGEST_DELAY_S = 300.0

Body = Callable[[Process], Coroutine[Any, Any, Any]]


class TaskFailed(Exception):  # noqa: N818  how Airflow calls it
    """A task used up its tries, or failed for good."""


def first_error(error: BaseException) -> BaseException:
    """Return what a task ends with: the first of several errors that happened at the same time."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class DagRun:
    """One DAG run with its tasks."""

    def __init__(self, world: World, key: str, request: tasks.RunRequest) -> None:
        self.world, self.key, self.request = world, key, request
        self.identity = TaskIdentity(world.definition.name, key, key)
        self.processes: list[Process] = []
        self.summary: dict[str, Any] = {}
        self.state = "running"
        self.message = ""
        self._schedule: asyncio.Task[None] | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether Airflow still works on it."""
        return self._schedule is not None and not self._schedule.done()

    def start(self) -> None:
        """Run all tasks, from the beginning."""
        self._schedule = self.world.loop.create_task(self._all_tasks(), name=self.key)

    def clear(self, *, leaves_orphans: bool) -> None:
        """Run everything again; processes that run end at once, or nobody notices that they go on."""
        self._interrupt(leaves_orphans=leaves_orphans)
        self.start()

    def clear_shard(self, shard: int, *, leaves_orphans: bool) -> None:
        """Run one shard and `finish` again."""
        self._interrupt(leaves_orphans=leaves_orphans)
        self._schedule = self.world.loop.create_task(self._one_shard(shard), name=self.key)

    def stop(self) -> None:
        """Everything of this run dies, and nobody begins another try."""
        self._interrupt(leaves_orphans=False)
        self.state = "failed"

    def _interrupt(self, *, leaves_orphans: bool) -> None:
        self.state = "running"
        if self._schedule is not None:
            self._schedule.cancel()
        for process in self.processes:
            if process.is_running and not leaves_orphans:
                process.is_dead = True

    async def _all_tasks(self) -> None:
        failed: list[str] = []
        try:
            await self._task("preflight", self._preflight)
            manifest = await self._task("land", self._land)
            if manifest is not None:
                await self._task("stage", lambda process: self._stage(process, manifest))
                shards = await self._task("compute_delta", self._compute_delta)
                numbers = [shard["shard"] for shard in shards]
                failed = await self._deliver_all(numbers)
        except TaskFailed as error:
            failed = [str(error)]
        await self._finish(failed)

    async def _one_shard(self, shard: int) -> None:
        await self._finish(await self._deliver_all([shard]))

    async def _deliver_all(self, shards: list[int]) -> list[str]:
        bodies = [self._task(f"deliver[{shard}]", lambda _, shard=shard: self._deliver(shard)) for shard in shards]
        ends = await asyncio.gather(*bodies, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, TaskFailed):
                raise end
        return ["deliver" for end in ends if isinstance(end, TaskFailed)]

    async def _finish(self, failed: list[str]) -> None:
        try:
            summary = await self._task("finish", lambda process: self._close(process, failed))
        except TaskFailed:
            self.state, self.message = "failed", "finish failed"
            return
        self.summary = health.as_fields(summary) if summary else {}
        self.state, self.message = (summary.state, summary.message) if summary else ("failed", str(failed))

    async def _task(self, name: str, body: Body) -> Any:
        """Run the tries of a task; a try that Airflow lost may go on beside the next one."""
        delay_s = _FIRST_DELAY_S
        last: BaseException | None = None
        for number in range(_RETRIES + 1):
            process = self.world.table.start(f"{self.key} {name} {number}", body)
            self.processes.append(process)
            assert process.task is not None
            process.task.add_done_callback(self._note_defect)
            lost = asyncio.ensure_future(process.was_lost.wait())
            try:
                await asyncio.wait({process.task, lost}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                lost.cancel()
            if process.task.done():
                last = process.task.exception()
                if last is None:
                    return process.task.result()
                last = first_error(last)
                if not isinstance(last, TransientError):
                    break
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
        raise TaskFailed(f"{name}: {last}")

    def _note_defect(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        error = first_error(error)
        if not isinstance(error, SyncError):
            self.world.crashes.append(error)

    # the bodies of the tasks

    async def _preflight(self, process: Process) -> None:
        """The transaction of `preflight`; its requests are not what is tested here."""
        work = preflight.PreflightWork(
            definition=self.world.definition,
            store=self.world.store(process),
            destination=None,  # type: ignore[arg-type]
            dag_run_key=self.key,
            mode=self.request.mode,
        )
        account = Account(PORTAL, "UTC", rate=RateHeaders(max=self.world.window_limit, interval_ms=10_000))
        await work.store.run(lambda transaction: preflight._open(transaction, work, account, ()))

    async def _land(self, process: Process) -> str | None:
        work = ingest.LandWork(
            definition=self.world.definition,
            database=self.world.greenlet_database(process),
            kaggle=self.world.dataset,
            landing=self.world.dataset,
            dag_run_key=self.key,
            folder=self.world.folder,
            allow_older_version=False,
        )
        manifest: str | None = await greenlet_spawn(ingest.land, work)
        return manifest

    async def _stage(self, process: Process, manifest: str) -> None:
        work = ingest.StageWork(
            definition=self.world.definition,
            database=self.world.greenlet_database(process),
            landing=self.world.dataset,
            dag_run_key=self.key,
            folder=self.world.folder_of(process),
            guards_approved=True,
        )
        await greenlet_spawn(ingest.stage, work, manifest)

    async def _compute_delta(self, process: Process) -> list[dict[str, int]]:
        return await tasks._compute_delta(self.world.definition, self.identity, self.request)

    async def _deliver(self, shard: int) -> None:
        await tasks._deliver(self.world.definition, self.identity, shard, self.world.definition.delivery.in_flight)

    async def _close(self, process: Process, failed: list[str]) -> health.Summary | None:
        closed = await self.world.store(process).run(
            lambda transaction: tasks._close(transaction, self.world.definition, self.identity, failed)
        )
        return closed.summary if closed else None
