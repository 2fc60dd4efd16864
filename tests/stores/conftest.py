import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from candle_ingestor.stores.base import Store
from candle_ingestor.stores.influxdb import InfluxDbStore
from candle_ingestor.stores.influxdb_connection import InfluxDbConnection
from candle_ingestor.stores.sqlite import SqliteStore

sys.path.append(str(Path(__file__).parents[1] / "support"))

from influxd import (
    HOW_TO_GET_ONE,
    InfluxdProcess,
    InfluxServer,
    find_influxd,
    outside_server,
)

OpenStore = Callable[[], Store]

STORES = ("sqlite", "influxdb")
"""Every store that must conform; each has a fixture `NAME_opener`."""


@pytest.fixture
def sqlite_opener(tmp_path: Path) -> OpenStore:
    return lambda: SqliteStore(tmp_path / "store" / "candles.sqlite")


@pytest.fixture(scope="session")
def influxd_binary(missing_real_part: Callable[[str], NoReturn]) -> Path:
    binary = find_influxd()
    return binary if binary is not None else missing_real_part(HOW_TO_GET_ONE)


@pytest.fixture(scope="session")
def influx_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InfluxServer]:
    """A real InfluxDB 2 for the length of the test session."""
    outside = outside_server()
    if outside is not None:
        yield outside
        return
    binary: Path = request.getfixturevalue("influxd_binary")
    process = InfluxdProcess(binary, tmp_path_factory.mktemp("influxd"))
    try:
        process.start()
        yield process.server
    finally:
        process.stop()


@pytest.fixture
def bucket(influx_server: InfluxServer) -> Iterator[InfluxDbConnection]:
    """An empty bucket that keeps points forever."""
    with influx_server.bucket() as connection:
        yield connection


@pytest.fixture
def influxdb_opener(bucket: InfluxDbConnection) -> OpenStore:
    return lambda: InfluxDbStore(bucket)


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """Opens one and the same store, empty at first, as often as it is called."""
    opener: OpenStore = request.getfixturevalue(f"{request.param}_opener")
    opened: list[Store] = []

    def open_and_remember() -> Store:
        opened.append(opener())
        return opened[-1]

    yield open_and_remember
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
