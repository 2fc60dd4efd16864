from collections.abc import Iterator
from pathlib import Path

import pytest
from bridged import BridgedStore


@pytest.fixture
def bridged(tmp_path: Path) -> Iterator[BridgedStore]:
    """A store with candles of kraken at the end of February 2024 and the beginning of March."""
    store = BridgedStore(tmp_path)
    yield store
    store.close()
