"""Packs the functions of deploy/aws: `python -m tools.aws_functions [FOLDER]` writes one zip file each.

The same code gives the same bytes, wherever and whenever it is packed, so that Terraform plans no change without one.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

AWS = Path(__file__).parents[1] / "deploy" / "aws"
SOURCES = AWS / "functions"
BUILD = AWS / "build"

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can hold."""
_READABLE = 0o100644 << 16


def names() -> list[str]:
    """Return the functions that there are."""
    return sorted(path.parent.name for path in SOURCES.glob("*/__init__.py"))


def pack(name: str, folder: Path) -> Path:
    """Write the package of one function, its code below its own name as it is imported."""
    target = folder / f"{name}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as package:
        for path in sorted((SOURCES / name).glob("*.py")):
            entry = zipfile.ZipInfo(f"{name}/{path.name}", _EARLIEST)
            entry.external_attr = _READABLE
            # not deflated: the bytes of a compressor depend on its version
            package.writestr(entry, path.read_bytes(), zipfile.ZIP_STORED)
    return target


def main(arguments: Sequence[str]) -> int:
    """Pack every function into the folder given, or where Terraform looks for them."""
    folder = Path(arguments[0]) if arguments else BUILD
    for name in names():
        print(pack(name, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
