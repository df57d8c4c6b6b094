"""Which releases of Airflow and its providers this code works with; others change what hooks and tasks do."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping

from packaging.specifiers import SpecifierSet

from include.hubspot_sync.errors import ConfigError

SUPPORTED: Mapping[str, str] = {
    "apache-airflow": ">=3.3.2,<3.4",
    "apache-airflow-providers-amazon": ">=9.39,<10",
    "apache-airflow-providers-common-sql": ">=2.4,<3",
    "apache-airflow-providers-http": ">=6.3,<7",
    "apache-airflow-providers-mysql": ">=6.7,<7",
    "apache-airflow-providers-standard": ">=1.21,<2",
}
"""The same as in `requirements.txt`; a test compares."""


def check_versions(version_of: Callable[[str], str] = importlib.metadata.version) -> None:
    """Refuse an environment with other releases.

    Raises:
        ConfigError: names every package that is missing or does not fit, and the fix.
    """
    problems = [
        f"{name} {found} is not {wanted}"
        for name, wanted in SUPPORTED.items()
        if not _fits(found := _found(name, version_of), wanted)
    ]
    if problems:
        raise ConfigError(f"{'; '.join(problems)}: install requirements.lock")


def _found(name: str, version_of: Callable[[str], str]) -> str:
    try:
        return version_of(name)
    except importlib.metadata.PackageNotFoundError:
        return "(missing)"


def _fits(found: str, wanted: str) -> bool:
    return found != "(missing)" and SpecifierSet(wanted).contains(found, prereleases=True)
