"""The releases that the code accepts are those that are installed for it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.versions import SUPPORTED, check_versions

ROOT = Path(__file__).parents[3]


def test_supported_releases_are_those_of_the_requirements():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line.startswith("apache-airflow")]

    assert wanted == [f"{name}{releases}" for name, releases in SUPPORTED.items()]


def test_installed_releases_fit():
    check_versions()


def test_every_package_that_does_not_fit_is_named_with_the_fix():
    def version_of(name: str) -> str:
        if name.endswith("-http"):
            raise PackageNotFoundError(name)
        return "3.3.2+vendor.1" if name == "apache-airflow" else "1.0"

    with pytest.raises(ConfigError) as caught:
        check_versions(version_of)

    text = str(caught.value)
    assert "apache-airflow-providers-http (missing) is not >=6.3,<7" in text
    assert "apache-airflow-providers-amazon 1.0 is not >=9.39,<10" in text
    assert "apache-airflow 3.3.2" not in text
    assert text.endswith(": install requirements.lock")
