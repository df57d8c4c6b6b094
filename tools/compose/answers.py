"""Health check inside a container: `python -m tools.compose.answers URL` ends with 0 when the address answers 2xx."""

from __future__ import annotations

import http.client
import sys
import urllib.request
from collections.abc import Sequence

_TIMEOUT_S = 3


def main(arguments: Sequence[str]) -> int:
    """Ask once."""
    try:
        with urllib.request.urlopen(arguments[0], timeout=_TIMEOUT_S):  # noqa: S310  the address is in the compose file
            return 0
    except (OSError, http.client.HTTPException) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
