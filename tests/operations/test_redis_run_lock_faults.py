"""The lock of runs in Redis when Redis, the lock or the process fails."""

import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis_locks import DEADLINE_SECONDS, answer_of, can_enter, holder, is_lost, lock_on, until

from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.run_lock import RunLockLostError

GONE = "is lost: it is gone from Redis: its key was removed, or Redis has lost its data"


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
