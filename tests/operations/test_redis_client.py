import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis
from tenacity import wait_none

from candle_ingestor.operations.redis_client import (
    RedisRefusedError,
    RedisUnavailableError,
    RedisWrongTypeError,
    ask,
    ping,
)
from candle_ingestor.operations.redis_connection import RedisConnection


@pytest.mark.parametrize(
    ("hinder", "advice"),
    [
        (lambda client: client.config_set("maxmemory", 1), "maxmemory"),
        (lambda client: client.replicaof("127.0.0.1", 1), "must lead to a primary"),
        (
            lambda client: client.execute_command("ACL", "SETUSER", "default", "-set"),
            "access rules",
        ),
    ],
    ids=["full", "replica", "forbidden"],
)
def test_a_refusal_says_what_to_do(
    own_redis: Any, hinder: Callable[[redis.Redis], object], advice: str
) -> None:
    with redis.Redis(
        port=own_redis.connection.port, password=own_redis.connection.password
    ) as client:
        hinder(client)

    with pytest.raises(RedisRefusedError, match=advice) as caught:
        ask(own_redis.connection, lambda client: client.set("key", "value"))

    assert str(own_redis.connection.port) in str(caught.value)


def test_a_key_of_another_kind_is_told_apart(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    redis_client.rpush("key", "value")

    with pytest.raises(RedisWrongTypeError):
        ask(redis_server, lambda client: client.get("key"))


def test_a_failure_of_the_question_itself_passes_through(redis_server: RedisConnection) -> None:
    def question(client: redis.Redis) -> float:
        return 1 / (client.exists("no such key"))

    with pytest.raises(ZeroDivisionError):
        ask(redis_server, question)


def test_the_tries_are_those_asked_for(closed_port: int) -> None:
    tries: list[None] = []

    def question(client: redis.Redis) -> None:
        tries.append(None)
        client.ping()

    with pytest.raises(RedisUnavailableError):
        ask(RedisConnection("127.0.0.1", closed_port), question, tries=3, wait=wait_none())

    assert len(tries) == 3


def test_a_closed_port_is_named_in_plain_words(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RedisUnavailableError) as caught:
        ping(RedisConnection("127.0.0.1", closed_port), wait=wait_none())

    where = f"Redis at 127.0.0.1:{closed_port}"
    assert str(caught.value).startswith(f"{where} cannot be reached: connection refused; check")
    assert caplog.messages[0] == f"{where} does not answer (try 1 of 5): connection refused"


def test_a_name_that_nobody_knows_is_named_once() -> None:
    with pytest.raises(RedisUnavailableError) as caught:
        ping(RedisConnection("redis.invalid", 6379), wait=wait_none())

    assert "cannot be reached: cannot resolve its name; check" in str(caught.value)
    assert str(caught.value).count("redis.invalid") == 1


def test_a_server_that_stays_silent_is_told_with_the_time_waited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(RedisUnavailableError, match=r"timed out after 0\.1 s; check"):
            ping(RedisConnection("127.0.0.1", port, timeout_seconds=0.1), wait=wait_none())


def test_the_words_of_a_refusal_end_without_a_stop(own_redis: Any) -> None:
    connection = replace(own_redis.connection, password="")

    with pytest.raises(RedisRefusedError, match=r"refuses the login: [^.]*; set REDIS_PASSWORD"):
        ping(connection)


@pytest.mark.parametrize(
    "line",
    [
        b"-ERR unknown command 'AUTH', with args beginning with: 's3cret-word' \r\n",
        b"-ERR unknown command 'AUTH', with args beginning with: 's3cret-w\r\n",
        b"-ERR there is no s3cret-word here\r\n",
        b"-LOADING s3cret-word\r\n",
    ],
)
def test_a_server_that_repeats_the_password_shows_it_nowhere(
    answering_with: Callable[[bytes], int], line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connection = RedisConnection("127.0.0.1", answering_with(line), "s3cret-word")

    with pytest.raises((RedisRefusedError, RedisUnavailableError)) as caught:
        ping(connection, wait=wait_none())

    shown = "".join([str(caught.getrepr(style="native")), caplog.text])
    assert "s3cret-w" not in shown
