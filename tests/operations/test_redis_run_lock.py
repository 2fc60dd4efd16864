import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import redis
from tenacity import wait_none

from candle_ingestor.errors import DependencyError
from candle_ingestor.operations.redis_client import (
    RedisRefusedError,
    RedisUnavailableError,
)
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.redis_run_lock import RedisRunLock
from candle_ingestor.operations.run_lock import RunLockHeldError, RunLockLostError, lock_name_of

STARTED_MS = 1_700_000_000_000
STARTED = "2023-11-14T22:13:20Z"
NAME = "candles of this test"
DEADLINE_SECONDS = 30
GONE = "is lost: it is gone from Redis: its key was removed, or Redis has lost its data"

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


class LogWatch(logging.Handler):
    """Keeps messages and waits for one that is still to come."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._news:
            self.messages.append(record.getMessage())
            self._news.notify_all()

    def wait_for(self, part: str) -> str:
        def found() -> str | None:
            return next((text for text in self.messages if part in text), None)

        with self._news:
            text = self._news.wait_for(found, DEADLINE_SECONDS)
        assert text is not None, f"nothing says {part!r}: {self.messages}"
        return text


@pytest.fixture
def log_watch() -> Iterator[LogWatch]:
    watch = LogWatch()
    logger = logging.getLogger("candle_ingestor.operations")
    level = logger.level
    logger.addHandler(watch)
    logger.setLevel(logging.INFO)
    yield watch
    logger.removeHandler(watch)
    logger.setLevel(level)


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


@pytest.mark.usefixtures("redis_client")
def test_a_second_run_leaves_at_once_and_says_who_runs_since_when(
    redis_server: RedisConnection,
) -> None:
    with (
        holder(redis_server) as process,
        pytest.raises(RunLockHeldError) as caught,
        lock_on(redis_server),
    ):
        pytest.fail("two runs at once")

    message = str(caught.value)
    for part in (NAME, f"process {process.pid} on {socket.gethostname()}", STARTED, "within 30 s"):
        assert part in message
    assert "\n" not in message
    assert caught.value.exit_code == 75
    assert can_enter(redis_server)


@pytest.mark.usefixtures("redis_client")
def test_of_processes_that_start_together_one_gets_in(redis_server: RedisConnection) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(contender(redis_server)) for _ in range(4)]
        for process in processes:
            tell(process, "go")
        answers = sorted(answer_of(process) for process in processes)
        for process in processes:
            process.communicate()

    assert answers == ["held", "left", "left", "left"]
    assert can_enter(redis_server)


@pytest.mark.usefixtures("redis_client")
def test_a_killed_run_lets_the_next_one_in_when_its_lease_ends(
    redis_server: RedisConnection,
) -> None:
    with holder(redis_server, lease_seconds=2) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not can_enter(redis_server)

        until(lambda: can_enter(redis_server), "the end of the lease")


def test_a_run_that_fails_lets_the_next_one_in(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    with pytest.raises(ZeroDivisionError), lock_on(redis_server):
        _ = 1 // 0

    assert redis_client.keys() == []
    assert can_enter(redis_server)


@pytest.mark.usefixtures("redis_client")
def test_two_locks_in_one_process_exclude_each_other(redis_server: RedisConnection) -> None:
    with (
        lock_on(redis_server),
        pytest.raises(RunLockHeldError, match=f"process {os.getpid()}"),
        lock_on(redis_server),
    ):
        pytest.fail("two runs at once")


@pytest.mark.usefixtures("redis_client")
def test_a_lock_can_be_entered_again_but_not_twice(redis_server: RedisConnection) -> None:
    lock = lock_on(redis_server)
    for _ in range(2):
        with lock:
            with pytest.raises(RunLockHeldError, match="already"), lock:
                pytest.fail("two runs at once")
            assert not can_enter(redis_server)
        assert can_enter(redis_server)


@pytest.mark.usefixtures("redis_client")
def test_who_looks_sees_whether_a_run_holds_the_lock(redis_server: RedisConnection) -> None:
    lock = RedisRunLock(redis_server, "looked at", started_ms=0)
    looking = RedisRunLock(redis_server, "looked at", started_ms=0)

    assert not looking.is_held()
    with lock:
        assert looking.is_held()
    assert not looking.is_held()


def test_locks_of_other_names_do_not_meet(redis_server: RedisConnection) -> None:
    with lock_on(redis_server, "one"):
        assert can_enter(redis_server, "two")


def test_the_lease_is_renewed_long_before_its_end(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    with lock_on(redis_server, lease_seconds=1.5) as lock:
        value = redis_client.get(lock.key)
        left_ms = redis_client.pttl(lock.key)
        for _ in range(4):
            left_ms = renewed_ms(redis_client, lock.key, left_ms)
            assert 1200 < left_ms <= 1500

        assert redis_client.get(lock.key) == value
        assert not is_lost(lock)
    assert not redis_client.exists(lock.key)


def renewed_ms(client: redis.Redis, key: str, left_ms: int) -> int:
    """What is left of a lease just after it has grown."""
    seen = [left_ms]

    def has_grown() -> bool:
        seen.append(client.pttl(key))
        assert seen[-1] > 0
        return seen[-1] > seen[-2]

    until(has_grown, "a renewal")
    return seen[-1]


def test_a_redis_that_hangs_for_a_moment_costs_no_lock(own_redis: Any, log_watch: LogWatch) -> None:
    with lock_on(own_redis.connection, lease_seconds=6) as lock:
        own_redis.send(signal.SIGSTOP)
        log_watch.wait_for("not renewed, trying again")
        own_redis.send(signal.SIGCONT)
        log_watch.wait_for("renewed again")

        assert not is_lost(lock)
        assert not can_enter(own_redis.connection)
    assert can_enter(own_redis.connection)


def test_a_redis_that_is_killed_and_started_again_costs_no_lock(
    own_redis: Any, log_watch: LogWatch
) -> None:
    with lock_on(own_redis.connection, lease_seconds=6) as lock:
        own_redis.end(signal.SIGKILL)
        log_watch.wait_for("not renewed, trying again")
        own_redis.start()
        log_watch.wait_for("renewed again")

        assert not is_lost(lock)
        assert not can_enter(own_redis.connection)
    assert can_enter(own_redis.connection)


def test_a_redis_that_stays_away_stops_the_run_before_another_can_come(
    own_redis: Any, log_watch: LogWatch
) -> None:
    told: list[tuple[float, str]] = []
    is_told = threading.Event()

    def tell_once(loss: RunLockLostError) -> None:
        told.append((time.monotonic(), str(loss)))
        is_told.set()

    entering = time.monotonic()
    with (
        lock_on(own_redis.connection, lease_seconds=3) as lock,
        lock.when_lost(tell_once),
    ):
        own_redis.end(signal.SIGKILL)
        assert is_told.wait(DEADLINE_SECONDS)

    [(told_at, reason)] = told
    assert told_at - entering < 3
    for part in ("is lost: it cannot be renewed: ", str(own_redis.connection.port)):
        assert part in reason
    assert "\n" not in reason
    assert "frees itself within 3 s" in log_watch.wait_for("not released")


def test_a_run_that_stops_for_an_outage_keeps_the_lock_when_redis_is_back(
    own_redis: Any, log_watch: LogWatch
) -> None:
    with lock_on(own_redis.connection, lease_seconds=4.5) as lock:
        own_redis.send(signal.SIGSTOP)
        log_watch.wait_for("is lost: it cannot be renewed")
        own_redis.send(signal.SIGCONT)
        log_watch.wait_for("renewed again")

        assert is_lost(lock)
        assert not can_enter(own_redis.connection)
    assert can_enter(own_redis.connection)


def test_a_lock_that_another_took_is_told_and_left_alone(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    losses: list[RunLockLostError] = []
    is_told = threading.Event()

    def tell(loss: RunLockLostError) -> None:
        losses.append(loss)
        is_told.set()

    with (
        lock_on(redis_server, lease_seconds=1.5) as lock,
        lock.when_lost(tell),
    ):
        redis_client.set(
            lock.key, "token process 1 on elsewhere, running since yesterday", px=60_000
        )
        assert is_told.wait(DEADLINE_SECONDS)

    [loss] = losses
    assert loss.exit_code == 3
    message = str(loss)
    assert f"{lock.key} in {redis_server} is lost: it was taken by process 1 on" in message
    assert "running since yesterday; this run stops" in message
    assert redis_client.get(lock.key) == b"token process 1 on elsewhere, running since yesterday"
    assert redis_client.pttl(lock.key) > 30_000


def test_a_lock_that_is_gone_is_told_and_not_taken_again(
    redis_server: RedisConnection, redis_client: redis.Redis, log_watch: LogWatch
) -> None:
    with lock_on(redis_server, lease_seconds=1.5) as lock:
        redis_client.flushall()
        log_watch.wait_for(GONE)
        assert redis_client.keys() == []

        losses: list[RunLockLostError] = []
        with lock.when_lost(losses.append):
            assert [GONE in str(loss) for loss in losses] == [True]
        assert can_enter(redis_server)


@pytest.mark.usefixtures("redis_client")
def test_a_process_that_stood_still_for_longer_than_its_lease_hears_why_its_lock_is_gone(
    redis_server: RedisConnection,
) -> None:
    with holder(redis_server, lease_seconds=1.5) as process:
        process.send_signal(signal.SIGSTOP)
        until(lambda: can_enter(redis_server), "the end of the lease")
        process.send_signal(signal.SIGCONT)
        told = answer_of(process)
    assert "is lost: its lease of 1.5 s ran out, since this process stood still for " in told


def test_nobody_is_told_who_has_stopped_listening(
    redis_server: RedisConnection, redis_client: redis.Redis, log_watch: LogWatch
) -> None:
    losses: list[RunLockLostError] = []
    with lock_on(redis_server, lease_seconds=1.5) as lock:
        with lock.when_lost(losses.append):
            pass
        redis_client.delete(lock.key)
        log_watch.wait_for("is lost")
    assert losses == []


def test_no_redis_no_run(closed_port: int) -> None:
    with (
        pytest.raises(RedisUnavailableError, match="--redis_host and --redis_port") as caught,
        lock_on(RedisConnection("127.0.0.1", closed_port)),
    ):
        pytest.fail("no lock, no run")

    assert f"127.0.0.1:{closed_port}" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_wrong_password_is_final_and_never_shown(redis_server: RedisConnection) -> None:
    connection = RedisConnection(redis_server.host, redis_server.port, "wrong-secret")
    with pytest.raises(RedisRefusedError, match="--redis_password") as caught, lock_on(connection):
        pytest.fail("no lock, no run")

    assert "wrong-secret" not in str(caught.value)


def test_something_else_under_the_name_is_a_clear_error(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    lock = lock_on(redis_server)
    redis_client.rpush(lock.key, "BTC/USD")

    with pytest.raises(DependencyError, match="no run lock, so remove the key") as caught, lock:
        pytest.fail("no lock, no run")

    assert lock.key in str(caught.value)
    assert redis_client.lrange(lock.key, 0, -1) == [b"BTC/USD"]


@pytest.mark.parametrize("value", [b"", b"1", b"\xff\x00 \x1b[31m\r\n", b"t " + b"\n" * 5000])
def test_a_lock_that_no_run_made_is_shown_safely_and_how_to_remove_it(
    redis_server: RedisConnection, redis_client: redis.Redis, value: bytes
) -> None:
    lock = lock_on(redis_server)
    redis_client.set(lock.key, value)

    with (
        pytest.raises(RunLockHeldError, match=r"an unknown holder.*remove the key") as caught,
        lock,
    ):
        pytest.fail("two runs at once")

    assert str(caught.value).isprintable()
    assert redis_client.get(lock.key) == value


class AnswerLoser:
    """Passes bytes on to a Redis and back, but drops the connection at the answer to a script."""

    def __init__(self, target: RedisConnection, losses: int) -> None:
        self._target = target
        self._losses = losses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connection = RedisConnection(
            "127.0.0.1", self._listener.getsockname()[1], target.password
        )
        self.lost = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection((self._target.host, self._target.port)) as server:
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while asked := client.recv(65536):
            server.sendall(asked)
            answer = server.recv(65536)
            if b"EVAL" in asked and self.lost < self._losses:
                self.lost += 1
                return
            client.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.mark.usefixtures("redis_client")
def test_a_lock_whose_first_answers_were_lost_is_held_by_no_stranger(
    redis_server: RedisConnection,
) -> None:
    loser = AnswerLoser(redis_server, losses=3)
    try:
        with lock_on(loser.connection):
            assert loser.lost == 3
            assert not can_enter(redis_server)
    finally:
        loser.close()
    assert can_enter(redis_server)


def test_every_way_to_write_a_url_names_one_lock() -> None:
    names = {
        lock_name_of(url, "org", "candles", "prod")
        for url in ("http://influx", "HTTP://Influx:80/", "http://influx:80", "http://influx/")
    }

    assert len(names) == 1


def test_stores_and_services_of_their_own_have_locks_of_their_own() -> None:
    url = "http://influx:8086"
    names = {
        lock_name_of(url, "org", "candles", "prod"),
        lock_name_of(url, "org", "candles", "test"),
        lock_name_of(url, "org", 'candles", "prod', "x"),
        lock_name_of(url, "other", "candles", "prod"),
        lock_name_of("https://influx:8086", "org", "candles", "prod"),
        lock_name_of("http://influx:8087", "org", "candles", "prod"),
        lock_name_of("http://influx:8086/proxied", "org", "candles", "prod"),
    }

    assert len(names) == 7
    assert json.loads(lock_name_of(url, "org", "candles", "prod"))[1:] == ["org", "candles", "prod"]
