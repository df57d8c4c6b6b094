"""A private MySQL-compatible server in one folder: own data, socket, port, log and temporary files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import MySQLdb

from tools.local_stack import processes
from tools.local_stack.errors import StackError
from tools.local_stack.mysql_binary import Flavour, ServerBinary, find_program
from tools.local_stack.ports import LOOPBACK

if TYPE_CHECKING:
    import psutil
    from MySQLdb.connections import Connection

SCHEMA = "hubspot_sync"
USER = "hubspot_sync"
URL_VARIABLE = "HUBSPOT_SYNC_MYSQL_URL"
MAX_SOCKET_BYTES = 107
"""Longest path of a Unix socket that the kernel takes."""
_ERROR_WORDS = ("ERROR",)


@dataclass(frozen=True, slots=True)
class MysqlAddress:
    """Where a schema is and who may use it."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def url(self) -> str:
        """Return mysql://user:password@host:port/database."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"mysql://{login}@{self.host}:{self.port}/{self.database}"

    def connect(self, *, timeout_s: int = 5) -> Connection:
        """Open a connection.

        Raises:
            MySQLdb.Error: the server does not answer or refuses.
        """
        return MySQLdb.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            charset="utf8mb4",
            local_infile=1,
            connect_timeout=timeout_s,
        )


def parse_url(url: str) -> MysqlAddress:
    """Read mysql://user:password@host:port/database; port 3306 and database `hubspot_sync` are the defaults.

    Raises:
        StackError: it is something else. The message does not repeat the URL, which holds a password.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 3306
    except ValueError:
        port = 0
    if not (parts.scheme == "mysql" and parts.hostname and parts.username and port):
        raise StackError(f"{URL_VARIABLE} must look like mysql://user:password@host:port/database")
    return MysqlAddress(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/") or SCHEMA,
    )


def socket_path(folder: Path) -> Path:
    """Return where the server's socket lies: in the folder, or in a short private one when that is too deep."""
    path = folder / "mysql.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_BYTES:
        return path
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"hubspot-sync-{os.getuid()}-{short}" / "mysql.sock"


@dataclass(frozen=True, slots=True)
class MysqlServer:
    """One server: what it runs, where it lives, who may use it."""

    binary: ServerBinary
    folder: Path
    """Data, socket and temporary files lie in here."""
    log: Path
    address: MysqlAddress
    environ: Mapping[str, str]
    owner: Path
    """Folder of the stack it belongs to; its processes are recognised by it."""
    buffer_pool: str = "512M"
    die_with_parent: bool = False
    options: tuple[str, ...] = ()
    """More options of the server, e.g. its certificate."""

    @property
    def data(self) -> Path:
        """Return the data folder; another kind or version of server gets another one."""
        return self.folder / f"{self.binary.flavour}-{self.binary.version}"

    def start(self, *, cancelled: threading.Event | None = None, timeout_s: float = 90) -> psutil.Process:
        """Initialise the data folder if needed, start the server and wait until it answers.

        Raises:
            StackError: it does not start; the message holds the log's last error.
        """
        self.prepare()
        process = processes.start(
            self.command(),
            folder=self.owner,
            log=self.log,
            environ=self.environ,
            die_with_parent=self.die_with_parent,
        )
        self._wait(process, cancelled or threading.Event(), timeout_s)
        return process

    def prepare(self) -> None:
        """Create folders, the data if there is none, and the file with the users.

        Raises:
            StackError: the data folder cannot be created.
        """
        for place in (self.folder, self.folder / "tmp", socket_path(self.folder).parent):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._initialise()
        self._write_init_file()

    def answers(self) -> bool:
        """Return whether the schema can be used now."""
        try:
            with self.address.connect(timeout_s=2) as connection:
                connection.query("SELECT 1")
        except MySQLdb.Error:
            return False
        return True

    def _wait(self, process: psutil.Process, cancelled: threading.Event, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if not processes.is_alive(process):
                raise StackError(f"mysql stopped at once: {self._last_error()}")
            if cancelled.is_set() or time.monotonic() > deadline:
                processes.stop([process])
                raise StackError(f"mysql did not answer within {timeout_s:g} s: {self._last_error()}")
            cancelled.wait(0.05)

    def _last_error(self) -> str:
        return f"{processes.last_line(self.log, words=_ERROR_WORDS)} (log: {self.log})"

    def command(self) -> list[str]:
        """Return the command that starts the server."""
        options = [
            str(self.binary.path),
            *self._place(),
            f"--socket={socket_path(self.folder)}",
            f"--port={self.address.port}",
            f"--bind-address={LOOPBACK}",
            f"--pid-file={self.folder / 'mysql.pid'}",
            f"--init-file={self.folder / 'init.sql'}",
            f"--innodb-buffer-pool-size={self.buffer_pool}",
            "--innodb-flush-log-at-trx-commit=2",
            "--local-infile=ON",
            "--skip-log-bin",
            "--skip-name-resolve",
            *self.options,
        ]
        if self.binary.flavour is Flavour.MYSQL:
            # packages name a folder for server-side files that need not exist; LOAD DATA LOCAL needs none
            files = "--secure-file-priv=NULL"
            return [*options, files, "--mysqlx=OFF", "--innodb-redo-log-capacity=256M"]
        return [*options, "--innodb-log-file-size=256M"]

    def _place(self) -> list[str]:
        # a second server in the same tmpdir would delete this one's temporary tables
        place = ["--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.folder / 'tmp'}"]
        return [*place, "--user=root"] if os.geteuid() == 0 else place

    def _initialise(self) -> None:
        """Create the data folder, unless a complete one is there."""
        complete = self.data.with_suffix(self.data.suffix + ".complete")
        if complete.exists() and self.data.is_dir():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        with self.log.open("ab") as output:
            done = subprocess.run(  # noqa: S603  the server the user chose
                self._init_command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=300,
                env={**self.environ, **processes.marks(self.owner)},
                cwd=self.folder,
            )
        if done.returncode:
            raise StackError(f"mysql cannot create its data folder: {self._last_error()}")
        complete.touch()

    def _init_command(self) -> list[str]:
        if self.binary.flavour is Flavour.MYSQL:
            return [str(self.binary.path), *self._place(), "--initialize-insecure"]
        beside = self.binary.path.resolve().parent / "mariadb-install-db"
        script = beside if beside.exists() else find_program("mariadb-install-db", self.environ)
        if script is None:
            raise StackError("no mariadb-install-db found: sudo apt-get install mariadb-server-core")
        return [str(script), *self._place(), "--auth-root-authentication-method=normal", "--skip-test-db"]

    @property
    def root_password(self) -> str:
        """Return the password of root, who may come in by the socket only."""
        return hashlib.sha256(f"root {self.address.password}".encode()).hexdigest()

    def _write_init_file(self) -> None:
        """Write what the server runs before it accepts connections: nobody meets it without passwords."""
        user, password = f"'{self.address.user}'@'%'", f"'{self.address.password}'"
        others = ("'root'@'127.0.0.1'", "'root'@'::1'", "''@'localhost'")
        statements = [
            f"CREATE DATABASE IF NOT EXISTS {self.address.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            *(f"DROP USER IF EXISTS {other}" for other in others),
            f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{self.root_password}'",
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {password}",
            f"ALTER USER {user} IDENTIFIED BY {password}",
            rf"GRANT ALL ON `{self.address.database.replace('_', chr(92) + '_')}%`.* TO {user}",
        ]
        path = self.folder / "init.sql"
        path.touch(mode=0o600)
        path.write_text("".join(f"{statement};\n" for statement in statements), encoding="utf-8")
