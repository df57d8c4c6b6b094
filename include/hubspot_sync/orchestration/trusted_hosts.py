"""Hosts of a deployment's own private network that may be reached with plain http, e.g. the simulators in compose."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from include.hubspot_sync.errors import ConfigError

VARIABLE = "HUBSPOT_SYNC_TRUSTED_HOSTS"
"""Host names separated by commas; empty in production."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


def trusted_hosts(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the hosts that the deployment's environment names, in lower case.

    Raises:
        ConfigError: an entry is more than a host name, so it would silently match nothing.
    """
    names = {name.strip().lower() for name in environ.get(VARIABLE, "").split(",")} - {""}
    if wrong := sorted(name for name in names if not _HOST.fullmatch(name)):
        raise ConfigError(f"{VARIABLE}: {wrong[0]!a} is no host name; give names without scheme, port and wildcards")
    return frozenset(names)
