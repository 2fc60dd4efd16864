from collections.abc import Iterator
from pathlib import Path

import pytest

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.stores.sqlite.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "candles.sqlite")
    yield store
    store.close()


@pytest.fixture
def ledger(store: SqliteStore) -> Ledger:
    return Ledger(store)
