from collections.abc import Callable, Iterator

import pytest

from candle_ingestor.stores.sqlite.store import SqliteStore


@pytest.fixture(scope="module")
def open_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], SqliteStore]]:
    """A store of its own for each call."""
    folder = tmp_path_factory.mktemp("stores")
    opened: list[SqliteStore] = []

    def open_one() -> SqliteStore:
        opened.append(SqliteStore(folder / f"{len(opened)}.sqlite"))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()
