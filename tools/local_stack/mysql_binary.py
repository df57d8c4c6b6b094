"""Find the MySQL-compatible server program and learn what it is."""

from __future__ import annotations

import enum
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local_stack.errors import StackError

BINARY_VARIABLE = "HUBSPOT_SYNC_MYSQLD"
_SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin")


class Flavour(enum.StrEnum):
    """Whose server it is; options and set-up differ."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A server program that can be started."""

    path: Path
    flavour: Flavour
    version: str
    """Major and minor version, e.g. `10.11`."""


def find_program(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return a program of PATH or of the usual server folders, which are not on every user's PATH."""
    folders = os.pathsep.join([environ.get("PATH", os.defpath), *_SERVER_FOLDERS])
    found = shutil.which(name, path=folders)
    return Path(found) if found else None


def find_server(environ: Mapping[str, str]) -> ServerBinary:
    """Return the server named by `HUBSPOT_SYNC_MYSQLD`, else a mysqld, else a mariadbd.

    Raises:
        StackError: there is none, or it does not run.
    """
    named = environ.get(BINARY_VARIABLE)
    path = Path(named).expanduser() if named else None
    if path is not None and not os.access(path, os.X_OK):
        raise StackError(f"{BINARY_VARIABLE}={named} is not a program: name a mysqld or mariadbd")
    path = path or find_program("mysqld", environ) or find_program("mariadbd", environ)
    if path is None:
        raise StackError("no mysqld or mariadbd found: sudo apt-get install mariadb-server-core mariadb-client-core")
    return _describe(path.absolute(), environ)


def _describe(path: Path, environ: Mapping[str, str]) -> ServerBinary:
    answer = subprocess.run(  # noqa: S603  the program the user chose
        [path, "--no-defaults", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=dict(environ),
    )
    match = re.search(r"Ver (\d+\.\d+)", answer.stdout)
    if answer.returncode or match is None:
        said = (answer.stderr.strip().splitlines() or ["no version"])[-1]
        raise StackError(f"{path} does not run as a MySQL server: {said}")
    flavour = Flavour.MARIADB if "MariaDB" in answer.stdout else Flavour.MYSQL
    return ServerBinary(path=path, flavour=flavour, version=match[1])
