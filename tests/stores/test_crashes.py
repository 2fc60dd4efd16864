"""A batch of changes cut short before every single write, in every store."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from influxd import InfluxServer
from misbehaving_proxy import Fault, MisbehavingProxy, Request
from replacing import Meanings, Wanted, is_in_state, three_states

from candle_ingestor.model.series import Series
from candle_ingestor.stores.base import Store, StoreError
from candle_ingestor.stores.influxdb import candles as influxdb_candles
from candle_ingestor.stores.influxdb import lines as influxdb_lines
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore
from candle_ingestor.stores.sqlite.store import SqliteStore

REPLACING_PROCESS = Path(__file__).with_name("replacing_process.py")
FEWEST_WRITES = 8
MOST_WRITES = 80

OpenCrashing = Callable[[int], Store]
"""Opens the store so that it fails for good after that many writes of its next batch."""


@pytest.fixture
def sqlite_crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenCrashing:
    def open_one(write_count: int) -> Store:
        class FailingConnection(apsw.Connection):
            left = write_count

            def _count_down(self, sql: str) -> None:
                if sql.startswith(("SELECT", "PRAGMA", "CREATE")) or sql == "BEGIN":
                    return
                if self.left == 0:
                    raise apsw.exception_for(apsw.SQLITE_IOERR)
                self.left -= 1

            def execute(self, sql: str, *arguments: Any) -> apsw.Cursor:  # type: ignore[override]
                self._count_down(sql)
                return super().execute(sql, *arguments)

            def executemany(self, sql: str, *arguments: Any) -> apsw.Cursor:  # type: ignore[override]
                self._count_down(sql)
                return super().executemany(sql, *arguments)

        monkeypatch.setattr(apsw, "Connection", FailingConnection)
        store = SqliteStore(tmp_path / "store" / "candles.sqlite")
        store.read_records()
        monkeypatch.undo()
        return store

    return open_one


def influxdb_crashing(
    proxy: MisbehavingProxy, bucket: InfluxDbConnection, is_answer_lost: bool
) -> OpenCrashing:
    def open_one(write_count: int) -> Store:
        left = write_count

        def fault(_: Request) -> Fault:
            nonlocal left
            left -= 1
            if left >= 0:
                return Fault(is_forwarded=True)
            return Fault(is_forwarded=is_answer_lost and left == -1, is_dropped=True)

        for path in ("/api/v2/write", "/api/v2/delete"):
            proxy.always(path, fault)
        return InfluxDbStore(replace(bucket, url=proxy.url), patience=Patience(tries=1))

    return open_one


@pytest.fixture
def proxy(influx_server: InfluxServer) -> Iterator[MisbehavingProxy]:
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        yield proxy


@pytest.fixture
def influxdb_request_lost(
    proxy: MisbehavingProxy, bucket: InfluxDbConnection, monkeypatch: pytest.MonkeyPatch
) -> OpenCrashing:
    for module in (influxdb_candles, influxdb_lines):
        monkeypatch.setattr(module, "LINES_PER_REQUEST", 4)
    return influxdb_crashing(proxy, bucket, is_answer_lost=False)


@pytest.fixture
def influxdb_answer_lost(
    proxy: MisbehavingProxy, bucket: InfluxDbConnection, monkeypatch: pytest.MonkeyPatch
) -> OpenCrashing:
    for module in (influxdb_candles, influxdb_lines):
        monkeypatch.setattr(module, "LINES_PER_REQUEST", 4)
    return influxdb_crashing(proxy, bucket, is_answer_lost=True)


@pytest.mark.parametrize(
    ("kind", "opener"),
    [
        ("sqlite_crashing", "sqlite_opener"),
        ("influxdb_request_lost", "influxdb_opener"),
        ("influxdb_answer_lost", "influxdb_opener"),
    ],
    ids=["sqlite", "influxdb-request_lost", "influxdb-answer_lost"],
)
def test_a_crash_before_any_write_leaves_no_record_that_claims_more_and_is_mended_by_the_next(
    request: pytest.FixtureRequest, kind: str, opener: str
) -> None:
    """Also where the answer changed in between, and where the mending crashes as well."""
    open_crashing: OpenCrashing = request.getfixturevalue(kind)
    with closing(request.getfixturevalue(opener)()) as store:
        for write_count in range(MOST_WRITES):
            before, after, changed = three_states(f"A{write_count}")
            meanings = Meanings()
            store.replace(meanings.changes(store, before))

            is_cut = [
                is_cut_short(open_crashing, write_count, meanings, store, state)
                for state in (after, changed)
            ]

            store.replace(meanings.changes(store, changed))
            assert is_in_state(store, changed)
            if not any(is_cut):
                break
    assert FEWEST_WRITES < write_count < MOST_WRITES - 1


def is_cut_short(
    open_crashing: OpenCrashing,
    write_count: int,
    meanings: Meanings,
    store: Store,
    state: dict[Series, Wanted],
) -> bool:
    changes = meanings.changes(store, state)
    with closing(open_crashing(write_count)) as crashing:
        try:
            crashing.replace(changes)
        except StoreError:
            is_cut = True
        else:
            is_cut = False
    meanings.assert_kept(store, state)
    assert is_cut or is_in_state(store, state)
    return is_cut


def test_a_killed_process_leaves_the_whole_batch_or_nothing_of_it(tmp_path: Path) -> None:
    before, after, changed = three_states("BTC")
    outcomes = []
    for count in range(0, MOST_WRITES, 3):
        path = tmp_path / f"{count}.sqlite"
        meanings = Meanings()
        with closing(SqliteStore(path)) as store:
            store.replace(meanings.changes(store, before))
        ended = subprocess.run(
            [sys.executable, REPLACING_PROCESS, path, str(count)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )

        with closing(SqliteStore(path)) as store:
            outcomes.append(ended.returncode)
            assert is_in_state(store, before if ended.returncode else after)
            store.replace(meanings.changes(store, changed))
            assert is_in_state(store, changed)
        if ended.returncode == 0:
            break
    assert len(outcomes) > 3
    assert outcomes == [-signal.SIGKILL] * (len(outcomes) - 1) + [0]
