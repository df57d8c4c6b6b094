"""Names what is wrong with the disk that a file is written to."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from include.hubspot_sync.errors import SourceDataError

_DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}
)


@contextlib.contextmanager
def disk_errors_named(path: Path, name: str) -> Iterator[None]:
    """Turn errors of the disk into a clear one; those of sockets, which are OSErrors too, pass.

    Args:
        path: file that is written.
        name: the source file, for the message.

    Raises:
        SourceDataError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise SourceDataError(
            f"{name}: {path} cannot be written ({error.strerror}): "
            "check space and permissions of the worker's temp folder"
        ) from error
