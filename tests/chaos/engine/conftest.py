"""A world for the tests of a module."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from include.hubspot_sync.config import SyncDefinition
from include.hubspot_sync.store.migrate import migrate
from tests.chaos.engine.world import World, open_world
from tests.support.mysql_server import TestServer


@pytest.fixture(scope="module")
def opened_world(
    mysql: TestServer, definition: SyncDefinition, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world that ends with its module, because other tests look at the logs that it silences."""
    with mysql.fresh_database() as address:
        migrate(address.url, [definition])
        # thousands of sequences warn about every fault they inject
        logging.disable(logging.ERROR)
        try:
            with open_world(address.connect, definition, tmp_path_factory.mktemp("world")) as world:
                yield world
        finally:
            logging.disable(logging.NOTSET)


@pytest.fixture
def world(opened_world: World) -> World:
    """A new sequence."""
    opened_world.reset()
    return opened_world
