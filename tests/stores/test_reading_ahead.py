"""What a SQLite store reads ahead, in a process of its own."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from minutes import BITSTAMP, EVERYTHING, KRAKEN, candles, flat, shown, stored
from storing import put, remove
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from candle_ingestor.stores.sqlite.store import SqliteStore

READ_AHEAD_AND_WAIT = """
import sys
from minutes import EVERYTHING, KRAKEN
from candle_ingestor.stores.sqlite.store import SqliteStore

if __name__ == "__main__":
    store = SqliteStore(sys.argv[1])
    store.read_ahead([(KRAKEN, EVERYTHING)])
    (reader,) = __import__("multiprocessing").active_children()
    print(reader.pid, flush=True)
    if sys.stdin.readline():
        print(store.read_candles(KRAKEN, EVERYTHING).height)
        assert reader.is_alive()
    store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "candles.sqlite")
    put(opened, KRAKEN, flat(range(5_000), price=1.0))
    put(opened, BITSTAMP, flat(range(3), price=2.0))
    yield opened
    opened.close()


def test_what_was_read_ahead_is_what_is_stored(store: SqliteStore) -> None:
    store.read_ahead([(KRAKEN, EVERYTHING), (BITSTAMP, EVERYTHING)])

    assert stored(store, KRAKEN) == dict.fromkeys(range(5_000), 1.0)
    assert stored(store, BITSTAMP) == dict.fromkeys(range(3), 2.0)


def test_it_need_not_be_asked_for_nor_in_that_order(store: SqliteStore) -> None:
    store.read_ahead([(KRAKEN, EVERYTHING), (BITSTAMP, EVERYTHING)])

    assert stored(store, BITSTAMP) == dict.fromkeys(range(3), 2.0)
    assert stored(store, KRAKEN) == dict.fromkeys(range(5_000), 1.0)


def test_a_change_in_between_is_seen(store: SqliteStore) -> None:
    store.read_ahead([(BITSTAMP, EVERYTHING), (KRAKEN, EVERYTHING)])
    put(store, BITSTAMP, candles({1: 7.0}))
    remove(store, BITSTAMP, candles({2: 7.0})["open_time_ms"])

    assert stored(store, BITSTAMP) == {0: 2.0, 1: 7.0}
    assert len(stored(store, KRAKEN)) == 5_000


def test_a_reader_that_was_killed_costs_nothing_but_time(store: SqliteStore) -> None:
    store.read_ahead([(KRAKEN, EVERYTHING)])
    (reader,) = multiprocessing.active_children()
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    reader.join()

    store.read_ahead([(BITSTAMP, EVERYTHING)])
    assert stored(store, BITSTAMP) == dict.fromkeys(range(3), 2.0)
    assert len(shown(store.read_candles(KRAKEN, EVERYTHING))) == 5_000


@pytest.mark.parametrize("error", [BlockingIOError(), OSError(errno.ENOMEM, "no memory")])
def test_a_reader_that_cannot_be_started_costs_nothing_but_time(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(process: object) -> None:
        raise error

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", refuse)
    store.read_ahead([(KRAKEN, EVERYTHING)])
    assert len(stored(store, KRAKEN)) == 5_000

    monkeypatch.undo()
    store.read_ahead([(BITSTAMP, EVERYTHING)])
    assert len(multiprocessing.active_children()) == 1
    assert stored(store, BITSTAMP) == dict.fromkeys(range(3), 2.0)


def test_closing_leaves_no_process(store: SqliteStore) -> None:
    store.read_ahead([(KRAKEN, EVERYTHING)])
    store.close()

    assert multiprocessing.active_children() == []


def test_no_process_outlives_one_that_was_killed(reading: subprocess.Popen[str]) -> None:
    reader_pid = reader_of(reading)
    assert is_running(reader_pid)
    reading.kill()

    ends(reader_pid)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0])
def test_ctrl_c_neither_ends_a_reader_nor_makes_it_say_a_word(
    reading: subprocess.Popen[str], seconds: float
) -> None:
    reader_pid = reader_of(reading)
    time.sleep(seconds)
    os.kill(reader_pid, signal.SIGINT)
    output, errors = reading.communicate("read\n", timeout=60)

    assert (output, errors) == ("5000\n", "")


@pytest.fixture
def reading(store: SqliteStore, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that reads ahead, tells who does it, and takes what was read when told to."""
    script = tmp_path / "reading.py"
    script.write_text(READ_AHEAD_AND_WAIT)
    with subprocess.Popen(
        [sys.executable, script, tmp_path / "candles.sqlite"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        yield process


def reader_of(reading: subprocess.Popen[str]) -> int:
    assert reading.stdout is not None
    return int(reading.stdout.readline())


@retry(retry=retry_if_result(bool), stop=stop_after_delay(30), wait=wait_fixed(0.05), reraise=True)
def ends(pid: int) -> bool:
    return is_running(pid)


def is_running(pid: int) -> bool:
    """Whether it is there and does more than wait for its exit to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
