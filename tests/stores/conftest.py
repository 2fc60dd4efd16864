from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from candle_ingestor.stores.base import Store
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore
from candle_ingestor.stores.sqlite.store import SqliteStore

OpenStore = Callable[[], Store]

STORES = ("sqlite", "influxdb")
"""Every store that must conform; each has a fixture `NAME_opener`."""


@pytest.fixture
def sqlite_opener(tmp_path: Path) -> OpenStore:
    return lambda: SqliteStore(tmp_path / "store" / "candles.sqlite")


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
