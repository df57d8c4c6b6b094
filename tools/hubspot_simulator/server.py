"""Runs the application with uvicorn on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from tools.hubspot_simulator.application import Application
from tools.hubspot_simulator.faults import FaultEngine
from tools.hubspot_simulator.inspection import build_inspection
from tools.hubspot_simulator.settings import Settings
from tools.hubspot_simulator.world import Portal, open_portal

_SAVE_EVERY_S = 0.25
_SHUTDOWN_S = 2


def build_application(settings: Settings) -> tuple[Application, Portal]:
    """Open the portal and return the application that serves it.

    Raises:
        FaultError: the scenario is unknown.
    """
    portal = open_portal(settings)
    faults = FaultEngine(portal)
    if settings.scenario:
        faults.add_scenario(settings.scenario)
    return Application(portal, faults, build_inspection(portal, faults)), portal


class _Server(uvicorn.Server):
    """Says where it listens, and leaves signals to us so that SIGTERM ends with exit code 0."""

    def __init__(self, config: uvicorn.Config, address: tuple[str, int], port_file: str) -> None:
        super().__init__(config)
        self._host, self._port = address
        self._port_file = port_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then announce the address."""
        await super().startup(sockets)
        if self._port_file:
            target = Path(self._port_file)
            draft = target.with_name(f"{target.name}.new")
            draft.write_text(f"{self._port}\n", encoding="ascii")
            draft.replace(target)
        print(f"hubspot simulator listening on http://{self._host}:{self._port}", flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: a port is taken.
        FaultError: the scenario is unknown.
    """
    main = _listen(settings.host, settings.port)
    sockets = [main]
    if settings.control_port.isdigit():
        control = _listen(settings.host, int(settings.control_port))
        settings.control_port = str(control.getsockname()[1])
        sockets.append(control)
    application, portal = build_application(settings)
    config = uvicorn.Config(
        application, lifespan="off", access_log=False, log_level="error", server_header=False,
        date_header=False, timeout_keep_alive=120, timeout_graceful_shutdown=_SHUTDOWN_S,
    )  # fmt: skip
    server = _Server(config, main.getsockname(), settings.port_file)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(server, sockets, portal))
    finally:
        portal.store.close()


async def _run(server: _Server, sockets: list[socket.socket], portal: Portal) -> None:
    saver = asyncio.create_task(_save_regularly(portal))
    try:
        await server.serve(sockets=sockets)
    finally:
        saver.cancel()
        portal.save_log()


async def _save_regularly(portal: Portal) -> None:
    """Store the request log and the day's count, so that a kill loses little of them."""
    last_seq = portal.seq
    while True:
        await asyncio.sleep(_SAVE_EVERY_S)
        if portal.seq != last_seq:
            last_seq = portal.seq
            portal.save_log()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.set_inheritable(False)
    return listener
