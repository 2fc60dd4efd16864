"""Writers that are killed, or have no room."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_candles import EVERYTHING, KRAKEN, MINUTE_MS, candles
from storing import put

from candle_ingestor.stores.sqlite.store import SqliteStore

WRITING_PROCESS = Path(__file__).parents[1] / "writing_process.py"


def start_writing(path: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WRITING_PROCESS, path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


@pytest.mark.parametrize("pages_before_the_kill", [1, 30])
def test_a_kill_never_leaves_coverage_without_its_candles(
    path: Path, store: SqliteStore, pages_before_the_kill: int
) -> None:
    with start_writing(path) as process:
        assert process.stdout is not None
        for page in range(pages_before_the_kill):
            assert process.stdout.readline() == f"{page}\n"
        process.kill()

    covered = store.read_records()[KRAKEN].covered
    found = store.read_candles(KRAKEN, EVERYTHING)
    assert found.height % 300 == 0
    assert covered.duration_ms >= pages_before_the_kill * 300 * MINUTE_MS
    covered_minutes = covered.duration_ms // MINUTE_MS
    assert found["open_time_ms"].to_list()[:covered_minutes] == [
        minute * MINUTE_MS for minute in range(covered_minutes)
    ]
    put(store, KRAKEN, candles(5))


def test_a_file_size_limit_stops_the_writer_and_keeps_what_was_there(
    path: Path, store: SqliteStore
) -> None:
    limit = 400_000

    with start_writing(
        path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    ) as process:
        assert process.stdout is not None
        *pages, last = process.stdout.read().splitlines()

    assert process.returncode == 0
    assert last.startswith("StoreRefusedError: ")
    assert str(path) in last
    assert "file size limit" in last
    found = store.read_candles(KRAKEN, EVERYTHING)
    assert found.height >= len(pages) * 300
    assert found.height % 300 == 0
    covered = store.read_records()[KRAKEN].covered
    assert len(pages) * 300 <= covered.duration_ms // MINUTE_MS <= found.height


def test_a_full_disk_stops_the_writer_and_keeps_what_was_there(
    tmp_path: Path, open_sqlite: Callable[..., SqliteStore]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk of its own can only be mounted by root")
    try:
        path = disk / "candles.sqlite"
        with start_writing(path) as process:
            assert process.stdout is not None
            *pages, last = process.stdout.read().splitlines()

        assert last.startswith("StoreRefusedError: ")
        assert "the disk is full" in last
        assert pages
        store = open_sqlite(path)
        found = store.read_candles(KRAKEN, EVERYTHING)
        assert found.height >= len(pages) * 300
        assert found.height % 300 == 0
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
