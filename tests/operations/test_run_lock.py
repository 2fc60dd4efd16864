import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from candle_ingestor.errors import CandleIngestorError, DependencyError
from candle_ingestor.operations.run_lock import (
    FileRunLock,
    RunLockHeldError,
    is_lock_held,
    lock_path_of,
)

STARTED_MS = 1_700_000_000_000
STARTED = "2023-11-14T22:13:20Z"

HOLD_THE_LOCK = """
import sys
from candle_ingestor.operations.run_lock import FileRunLock

with FileRunLock(sys.argv[1], started_ms=int(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that has the lock, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, path, str(STARTED_MS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_leaves_at_once_and_says_who_runs_since_when(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite.lock"
    with holder(path) as process:
        with (
            pytest.raises(RunLockHeldError) as caught,
            FileRunLock(path, started_ms=STARTED_MS + 1),
        ):
            pytest.fail("two runs at once")
        process.communicate()

    message = str(caught.value)
    for part in (str(path), f"process {process.pid}", STARTED):
        assert part in message
    assert "\n" not in message
    assert caught.value.exit_code == 75


def test_who_looks_sees_a_living_run_and_neither_a_dead_one_nor_one_that_ended(
    tmp_path: Path,
) -> None:
    path = tmp_path / "candles.sqlite.lock"
    assert not is_lock_held(path)
    assert not path.exists()
    with holder(path) as process:
        assert is_lock_held(path)
        process.kill()
        process.wait()
    assert path.read_text()
    assert not is_lock_held(path)
    with holder(path) as process:
        assert is_lock_held(path)
        process.communicate()
    assert not is_lock_held(path)


def test_a_run_that_ends_lets_the_next_one_in(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite.lock"
    with holder(path) as process:
        process.communicate()

    for _ in range(2):
        with FileRunLock(path, started_ms=STARTED_MS):
            pass


def test_a_killed_run_lets_the_next_one_in(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite.lock"
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()

        with FileRunLock(path, started_ms=STARTED_MS):
            assert f"process {os.getpid()}" in path.read_text()


def test_a_run_that_fails_lets_the_next_one_in(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite.lock"
    with pytest.raises(ZeroDivisionError), FileRunLock(path, started_ms=STARTED_MS):
        _ = 1 // 0

    with FileRunLock(path, started_ms=STARTED_MS):
        pass


def test_two_locks_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite.lock"
    with FileRunLock(path, started_ms=STARTED_MS):
        with (
            pytest.raises(RunLockHeldError, match=f"process {os.getpid()}"),
            FileRunLock(path, started_ms=STARTED_MS),
        ):
            pytest.fail("two runs at once")
        assert STARTED in path.read_text()


def test_stores_of_their_own_have_locks_of_their_own(tmp_path: Path) -> None:
    with (
        FileRunLock(lock_path_of(tmp_path / "a.sqlite"), started_ms=STARTED_MS),
        FileRunLock(lock_path_of(tmp_path / "b.sqlite"), started_ms=STARTED_MS),
    ):
        pass


def test_every_way_to_write_a_stores_path_names_one_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "candles.sqlite"
    store.touch()
    (tmp_path / "link.sqlite").symlink_to(store)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)

    paths = {
        lock_path_of("candles.sqlite"),
        lock_path_of(store),
        lock_path_of(tmp_path / "folder" / ".." / "candles.sqlite"),
        lock_path_of("link.sqlite"),
    }

    assert paths == {tmp_path.resolve() / "candles.sqlite.lock"}


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    with FileRunLock(tmp_path / "data" / "candles.sqlite.lock", started_ms=STARTED_MS):
        assert (tmp_path / "data").is_dir()


def test_a_lock_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "candles.sqlite.lock"

    with (
        pytest.raises(DependencyError, match=r"cannot be taken.*--sqlite_path") as caught,
        FileRunLock(path, started_ms=STARTED_MS),
    ):
        pytest.fail("no lock, no run")

    assert str(path) in str(caught.value)
    assert os.strerror(errno.EEXIST) in str(caught.value) or "directory" in str(caught.value)


def test_the_held_lock_is_told_apart_from_a_failure() -> None:
    assert issubclass(RunLockHeldError, CandleIngestorError)
    assert not issubclass(RunLockHeldError, DependencyError)
