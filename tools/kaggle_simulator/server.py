"""Starts both listeners in one process and stops them on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.kaggle_simulator.api import ApiError, DatasetApi, error_answer
from tools.kaggle_simulator.control import Control
from tools.kaggle_simulator.generator import make_profile
from tools.kaggle_simulator.request_log import LoggedApp, RequestLog
from tools.kaggle_simulator.simulator import Simulator
from tools.kaggle_simulator.storage import storage_app
from tools.kaggle_simulator.versions import VersionStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tools.kaggle_simulator.options import Options

_GRACE_S = 1
"""Longest wait for open answers at the end; a stalled one would never finish."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the program and tells when it is ready."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="critical",  # a broken-off body is on purpose, not an error to report
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handler: two servers share this process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        self.ready.set()


async def _api_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error_answer(error.status, error.message)
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    return error_answer(status, HTTPStatus(status).phrase)


def api_app(simulator: Simulator) -> Starlette:
    """Build the application of the API listener."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "current_version": simulator.store.current.number})

    return Starlette(
        routes=[Route("/health", health), *Control(simulator).routes(), *DatasetApi(simulator).routes()],
        exception_handlers={ApiError: _api_error, HTTPException: _api_error},
    )


def _listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; connections wait in it until the server runs."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # accepted connections inherit it; without it each answer waits 40 ms for a delayed ACK
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} on {host} cannot be used ({error.strerror}); choose another one") from error
    listener.listen(128)
    return listener


def open_store(options: Options, folder: Path) -> VersionStore:
    """Open the versions of an earlier start, or make version 1.

    Raises:
        OSError: the CSV file cannot be read or the folder not be written.
        ValueError: the folder belongs to another dataset.
    """
    store = VersionStore(folder, options.dataset, options.file)
    if not store.versions:
        if options.csv is None:
            first = store.add_dataset(make_profile(options.profile, options.seed), notes="generated")
        else:
            first = store.add_file(options.csv, notes="from a file")
        store.move_to(first.number)
    elif options.csv is not None:
        print(f"{folder} already has {len(store.versions)} versions; --csv is not used", flush=True)
    return store


def _write_ports(path: Path, port: int, storage_port: int) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"port": port, "storage_port": storage_port}), encoding="utf-8")
    part.replace(path)


async def _run(servers: dict[_Server, socket.socket], announce: str) -> None:
    """Serve until SIGTERM or SIGINT."""

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as tasks:
        for server, listener in servers.items():
            tasks.create_task(server.serve(sockets=[listener]))
        for server in servers:
            await server.ready.wait()
        print(announce, flush=True)


async def serve(options: Options) -> None:
    """Run the simulator until SIGTERM or SIGINT.

    Raises:
        OSError: a port is taken, or a file cannot be read or written.
        ValueError: the folder belongs to another dataset.
    """
    with ExitStack() as stack:
        api_socket, storage_socket = (
            stack.enter_context(contextlib.closing(_listen(options.host, port)))
            for port in (options.port, options.storage_port)
        )
        port, storage_port = api_socket.getsockname()[1], storage_socket.getsockname()[1]
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaggle-sim-")))
        simulator = Simulator(
            options=options,
            store=open_store(options, folder),
            log=RequestLog(options.log or folder / "requests.jsonl"),
            storage_url=options.storage_url or f"http://{options.host}:{storage_port}",
        )
        if options.port_file is not None:
            _write_ports(options.port_file, port, storage_port)
        servers = {
            _Server(LoggedApp(app, simulator.log)): listener
            for app, listener in ((api_app(simulator), api_socket), (storage_app(simulator), storage_socket))
        }
        await _run(servers, f"kaggle simulator listening on http://{options.host}:{port}")
