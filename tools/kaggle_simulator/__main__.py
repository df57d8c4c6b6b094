"""Runs the simulator: `python -m tools.kaggle_simulator --help`."""

from __future__ import annotations

import asyncio
import sys
import zlib

from tools.kaggle_simulator.options import parse_options
from tools.kaggle_simulator.server import serve


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 2 with one line when it cannot start."""
    try:
        asyncio.run(serve(parse_options()))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        print(f"kaggle simulator: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
