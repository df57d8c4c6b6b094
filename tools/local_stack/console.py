"""What the person at the terminal sees: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

console = Console(highlight=False, soft_wrap=True)


class StepView:
    """Shows the steps of a start; a context manager."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._live = _live_progress() if console.is_terminal else None

    def __enter__(self) -> StepView:
        console.print(self._title)
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def began(self, name: str) -> None:
        """Show that a step is being worked on."""
        with self._lock:
            if self._live:
                self._tasks[name] = self._live.add_task(name, total=None, how="")

    def ended(self, name: str, how: str, took_s: float) -> None:
        """Show that it is done."""
        with self._lock:
            if self._live:
                self._live.remove_task(self._tasks.pop(name))
            console.print(f"  {name:<17} {how} [dim]({took_s:.1f} s)[/dim]")


def _live_progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[how]}"),
        console=console,
        transient=True,
    )


def run_progress() -> Progress:
    """Return the view of a DAG run: task states and records confirmed."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[records]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def live(view: Progress) -> AbstractContextManager[object]:
    """Show a live view on a terminal only."""
    return view if console.is_terminal else nullcontext()


def say_error(message: str, heading: str = "") -> None:
    """Print one line on standard error; the heading is the section of the runbook that says more."""
    name = f"{heading}: " if heading else ""
    print(f"error: {name}{' '.join(message.split())}", file=sys.stderr, flush=True)
