"""Whatever happens in whatever order: at rest, HubSpot equals the source and nothing is lost, doubled or stale."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos.engine.machine import PROFILE, DeliveryMachine
from tests.chaos.engine.world import World

SEED_VARIABLE = "HUBSPOT_SYNC_SEED"

pytestmark = pytest.mark.sql


def test_random_sequences_keep_every_promise(opened_world: World, capsys: pytest.CaptureFixture[str]):
    number = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(1 << 32))
    DeliveryMachine.world = opened_world
    try:
        run_state_machine_as_test(seed(number)(DeliveryMachine), settings=PROFILE)
    finally:
        with capsys.disabled():
            print(f"\n{DeliveryMachine.sequences} random sequences, repeat them with {SEED_VARIABLE}={number}")  # noqa: T201
