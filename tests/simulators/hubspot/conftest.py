"""Fixtures of the simulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulators.hubspot.harness import Simulator, SimulatorProcess, build, running


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A fresh portal inside this process."""
    simulator = build()
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorProcess]:
    """A process of its own, shared by the tests of a module."""
    with running("--latency", "zero", "--search-lag-ms", "0", "--burst-override", "100000") as process:
        process.create_properties()
        yield process
