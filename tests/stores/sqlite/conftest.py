from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from sqlite_candles import KRAKEN, candles
from storing import put

from candle_ingestor.stores.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "candles.sqlite"


@pytest.fixture
def open_sqlite() -> Iterator[Callable[..., SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_one(path: Path, **options: float) -> SqliteStore:
        opened.append(SqliteStore(path, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(path: Path, open_sqlite: Callable[..., SqliteStore]) -> SqliteStore:
    return open_sqlite(path, busy_timeout_seconds=0.05)


@pytest.fixture
def notebook(path: Path, store: SqliteStore) -> Iterator[apsw.Connection]:
    """Another program's plain connection to the store's file."""
    put(store, KRAKEN, candles(3))
    with closing(apsw.Connection(str(path))) as connection:
        yield connection
