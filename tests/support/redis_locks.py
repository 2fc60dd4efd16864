"""Locks of runs in a Redis, and what they say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tenacity import wait_none

from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.redis_run_lock import RedisRunLock
from candle_ingestor.operations.run_lock import RunLockHeldError, RunLockLostError

STARTED_MS = 1_700_000_000_000
NAME = "candles of this test"
DEADLINE_SECONDS = 30
USE_THE_LOCK = """
import sys
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.redis_run_lock import RedisRunLock
from candle_ingestor.operations.run_lock import RunLockHeldError

port, password, name, started_ms, lease_seconds = sys.stdin.readline().rstrip().split("|")
connection = RedisConnection("127.0.0.1", int(port), password)
print("ready", flush=True)
sys.stdin.readline()
lock = RedisRunLock(
    connection, name, started_ms=int(started_ms), lease_seconds=float(lease_seconds)
)
try:
    with lock, lock.when_lost(lambda loss: print(loss, flush=True)):
        print("held", flush=True)
        sys.stdin.read()
except RunLockHeldError:
    print("left", flush=True)
"""


def is_lost(lock: RedisRunLock) -> bool:
    losses: list[RunLockLostError] = []
    with lock.when_lost(losses.append):
        return bool(losses)


def until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for: {what}"


def lock_on(
    connection: RedisConnection, name: str = NAME, *, lease_seconds: float = 30.0
) -> RedisRunLock:
    return RedisRunLock(
        connection, name, started_ms=STARTED_MS, lease_seconds=lease_seconds, wait=wait_none()
    )


def can_enter(connection: RedisConnection, name: str = NAME) -> bool:
    try:
        with lock_on(connection, name):
            return True
    except RunLockHeldError:
        return False


def contender(connection: RedisConnection, lease_seconds: float = 30.0) -> subprocess.Popen[str]:
    """Another process, which tries for the lock when told to and holds it until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE_THE_LOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    words = (connection.port, connection.password, NAME, STARTED_MS, lease_seconds)
    tell(process, "|".join(map(str, words)))
    assert answer_of(process) == "ready"
    return process


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def answer_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


@contextmanager
def holder(
    connection: RedisConnection, lease_seconds: float = 30.0
) -> Iterator[subprocess.Popen[str]]:
    with contender(connection, lease_seconds) as process:
        tell(process, "go")
        assert answer_of(process) == "held"
        yield process
        process.communicate()
