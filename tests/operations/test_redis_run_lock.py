"""The lock of runs in Redis: who gets in, and what is said of it."""

import json
import os
import signal
import socket
from contextlib import ExitStack

import pytest
import redis
from redis_locks import NAME, answer_of, can_enter, contender, holder, is_lost, lock_on, tell, until

from candle_ingestor.errors import DependencyError
from candle_ingestor.operations.redis_client import (
    RedisRefusedError,
    RedisUnavailableError,
)
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.redis_run_lock import RedisRunLock
from candle_ingestor.operations.run_lock import RunLockHeldError, lock_name_of

STARTED = "2023-11-14T22:13:20Z"


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
