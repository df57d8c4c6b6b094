"""Free TCP ports on loopback."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # without it the closed connections of a server that just stopped would count as taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def any_free_port() -> int:
    """Return a port that the system calls free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def pick_port(preferred: Iterable[int], *, taken: Iterable[int] = ()) -> int:
    """Return the first preferred port that is free and not in `taken`, else any free one."""
    excluded = set(taken)
    for port in preferred:
        if port not in excluded and is_free(port):
            return port
    while (port := any_free_port()) in excluded:
        pass
    return port
