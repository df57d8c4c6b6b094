"""Run steps that depend on each other, independent ones at the same time."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tools.local_stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work."""

    name: str
    work: Callable[[], str]
    """Does it and returns a word on how, e.g. `started` or `already running`."""
    after: tuple[str, ...] = ()
    """Names of the steps that must be done before."""


class Progress(Protocol):
    """Shows what is going on."""

    def began(self, name: str) -> None:
        """Show that a step is being worked on."""

    def ended(self, name: str, how: str, took_s: float) -> None:
        """Show that it is done."""


def run_steps(steps: Sequence[Step], progress: Progress, abort: Callable[[], None]) -> None:
    """Run every step as soon as those before it are done.

    Args:
        steps: in any order; names unique.
        progress: told about each.
        abort: called at the first failure or interrupt; must make the running steps give up.

    Raises:
        StackError: a step failed; steps that had begun are waited for, others never begin.
    """
    waiting = {step.name: step for step in steps}
    done: set[str] = set()
    running: dict[concurrent.futures.Future[None], str] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(steps)) as pool:
        try:
            while waiting or running:
                for step in _ready(waiting.values(), done, is_idle=not running):
                    del waiting[step.name]
                    running[pool.submit(_run, step, progress)] = step.name
                for future in _wait(running):
                    name = running.pop(future)
                    future.result()
                    done.add(name)
        except BaseException:
            abort()
            raise


def _ready(waiting: Iterable[Step], done: set[str], *, is_idle: bool) -> list[Step]:
    ready = [step for step in waiting if done.issuperset(step.after)]
    if is_idle and not ready:
        raise StackError(f"these steps wait for each other: {', '.join(step.name for step in waiting)}")
    return ready


def _wait(running: dict[concurrent.futures.Future[None], str]) -> set[concurrent.futures.Future[None]]:
    first = concurrent.futures.FIRST_COMPLETED
    while not (finished := concurrent.futures.wait(running, timeout=0.2, return_when=first).done):
        pass  # short waits, so that Ctrl-C gets through
    return finished


def _run(step: Step, progress: Progress) -> None:
    began = time.monotonic()
    progress.began(step.name)
    how = step.work()
    progress.ended(step.name, how, time.monotonic() - began)
