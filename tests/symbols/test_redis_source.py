import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import redis
from tenacity import wait_none

from candle_ingestor.errors import DependencyError
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.operations.redis_client import RedisRefusedError, RedisUnavailableError, ping
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.symbols.redis_source import read_symbols
from candle_ingestor.symbols.requests import SymbolRequest

KEY = "crypto_symbols"
BITCOIN = Symbol("BTC", "USD")
ETHER = Symbol("ETH", "USD")
SOLANA = Symbol("SOL", "USD")
OBJECT = json.dumps({"symbol": "SOL/USD", "tier": 3})


class WireServer:
    """A server that reads a request and answers each connection with one of its scripts."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answers = answers
        self.connections = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if self.connections >= len(self._answers):
                    return
                answer = self._answers[self.connections]
                self.connections += 1
                connection.recv(4096)
                if answer is not None:
                    connection.sendall(answer)
                    while connection.recv(4096):
                        connection.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def wire_server() -> Iterator[Callable[[list[bytes | None]], WireServer]]:
    servers: list[WireServer] = []

    def start(answers: list[bytes | None]) -> WireServer:
        servers.append(WireServer(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_a_string_holds_a_json_list(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    redis_client.set(KEY, json.dumps(["btcusd", {"symbol": "ETH/USD", "tier": 1}, "BTC/USD", 5]))

    symbols = read_symbols(redis_server, KEY)

    assert symbols.requests == (SymbolRequest(BITCOIN), SymbolRequest(ETHER, 1))
    assert symbols.duplicates == 1
    assert [item.shown for item in symbols.rejected] == ["5"]


def test_a_list_keeps_its_order(redis_server: RedisConnection, redis_client: redis.Redis) -> None:
    redis_client.rpush(KEY, "ETH/USD", OBJECT, "BTC/USD")

    assert read_symbols(redis_server, KEY).requests == (
        SymbolRequest(ETHER),
        SymbolRequest(SOLANA, 3),
        SymbolRequest(BITCOIN),
    )


def test_a_set_is_sorted(redis_server: RedisConnection, redis_client: redis.Redis) -> None:
    redis_client.sadd(KEY, "SOL/USD", "ETH/USD", "BTC/USD")

    found = [request.symbol for request in read_symbols(redis_server, KEY).requests]

    assert found == [BITCOIN, ETHER, SOLANA]


def test_a_sorted_set_is_taken_by_rank(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    redis_client.zadd(KEY, {"BTC/USD": 30, OBJECT: 10, "ETH/USD": 20})

    assert read_symbols(redis_server, KEY).requests == (
        SymbolRequest(SOLANA, 3),
        SymbolRequest(ETHER),
        SymbolRequest(BITCOIN),
    )


def test_members_that_are_no_text_or_no_json_are_rejected(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    redis_client.rpush(KEY, b"\xff\xfe/USD", b'{"symbol": ', b'{"tier": 1}', b"BTC/USD")

    symbols = read_symbols(redis_server, KEY)

    assert symbols.requests == (SymbolRequest(BITCOIN),)
    assert [item.shown for item in symbols.rejected] == [
        r"b'\xff\xfe/USD'",
        """'{"symbol": '""",
        "{'tier': 1}",
    ]


@pytest.mark.parametrize(
    "value",
    ['["BTC/USD"', "BTC/USD", "", '"BTC/USD"', '{"symbol": "BTC/USD"}', b"\xff[]", "[" * 50_000],
    ids=["cut", "plain", "empty", "text", "object", "not utf-8", "deep"],
)
def test_a_string_that_is_no_json_list_is_an_error_that_says_how_to_set_it(
    redis_server: RedisConnection, redis_client: redis.Redis, value: str | bytes
) -> None:
    redis_client.set(KEY, value)

    with pytest.raises(RedisRefusedError, match="JSON") as caught:
        read_symbols(redis_server, KEY)

    assert_names_the_key(str(caught.value))


@pytest.mark.parametrize("value", ["[]", '["nonsense", 7]'])
def test_a_list_without_a_symbol_is_an_error(
    redis_server: RedisConnection, redis_client: redis.Redis, value: str
) -> None:
    redis_client.set(KEY, value)

    with pytest.raises(RedisRefusedError, match="names no symbol") as caught:
        read_symbols(redis_server, KEY)

    assert_names_the_key(str(caught.value))


def test_a_missing_key_is_an_error_that_says_how_to_set_it(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    with pytest.raises(RedisRefusedError, match="does not exist") as caught:
        read_symbols(redis_server, KEY)

    assert_names_the_key(str(caught.value))


def test_a_hash_is_an_error(redis_server: RedisConnection, redis_client: redis.Redis) -> None:
    redis_client.hset(KEY, "BTC/USD", "1")

    with pytest.raises(RedisRefusedError, match="is a hash") as caught:
        read_symbols(redis_server, KEY)

    assert_names_the_key(str(caught.value))


def assert_names_the_key(message: str) -> None:
    assert repr(KEY) in message
    assert "--redis_key_crypto_symbols" in message
    # That such a command works is shown in tests/operations/test_redis_tls.py.
    assert re.search(rf"set it with: redis-cli -p \d+ --askpass SET {KEY} ", message)
    assert "\n" not in message


def test_a_hostile_key_is_only_a_key(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    key = "a b'; FLUSHALL\r\n"
    redis_client.set(key, '["BTC/USD"]')
    redis_client.set("other", "1")

    assert read_symbols(redis_server, key).requests == (SymbolRequest(BITCOIN),)
    assert redis_client.get("other") == b"1"
    with pytest.raises(RedisRefusedError) as caught:
        read_symbols(redis_server, key + "x")
    assert "\n" not in str(caught.value)


def test_a_ping_proves_that_redis_answers(redis_server: RedisConnection) -> None:
    ping(redis_server)


@pytest.mark.parametrize("password", ["wrong-secret", None, ""])
def test_a_wrong_password_is_final_and_never_shown(
    redis_server: RedisConnection, password: str | None
) -> None:
    connection = RedisConnection(redis_server.host, redis_server.port, password)

    with pytest.raises(RedisRefusedError) as caught:
        ping(connection)

    message = str(caught.value)
    assert "--redis_password" in message
    assert "REDIS_PASSWORD" in message
    assert f"{redis_server.host}:{redis_server.port}" in message
    assert "wrong-secret" not in message


def test_the_password_is_in_no_text_of_the_connection() -> None:
    connection = RedisConnection("redis.internal", 6380, "s3cret-word")

    assert "s3cret-word" not in f"{connection} {connection!r}"
    assert str(connection) == "Redis at redis.internal:6380"


def test_a_server_that_is_down_is_tried_five_times_then_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(RedisUnavailableError) as caught,
        ):
            read_symbols(RedisConnection("127.0.0.1", port), KEY, wait=wait_none())

    message = str(caught.value)
    for part in (f"127.0.0.1:{port}", "--redis_host", "--redis_port"):
        assert part in message
    assert "\n" not in message
    tries = [record.getMessage() for record in caplog.records]
    assert [f"try {number} of 5" in text for number, text in enumerate(tries, 1)] == [True] * 4


def test_a_dropped_connection_is_tried_again(
    wire_server: Callable[[list[bytes | None]], WireServer],
) -> None:
    server = wire_server([None, None, b"+PONG\r\n"])

    ping(RedisConnection("127.0.0.1", server.port), wait=wait_none())

    assert server.connections == 3


def test_a_server_that_is_no_redis_is_named(
    wire_server: Callable[[list[bytes | None]], WireServer],
) -> None:
    server = wire_server([b"HTTP/1.1 400 Bad Request\r\n\r\n"] * 5)

    with pytest.raises(DependencyError, match="--redis_host and --redis_port"):
        ping(RedisConnection("127.0.0.1", server.port), wait=wait_none())


@pytest.mark.parametrize("host", ["redis..internal", "x" * 70 + ".internal"])
def test_a_host_name_that_cannot_be_is_named(host: str) -> None:
    with pytest.raises(DependencyError, match="--redis_host and --redis_port"):
        ping(RedisConnection(host, 6379), wait=wait_none())


def test_a_server_that_never_answers_is_given_up_after_its_time(
    wire_server: Callable[[list[bytes | None]], WireServer],
) -> None:
    server = wire_server([b""] * 5)

    with pytest.raises(RedisUnavailableError, match=f"127.0.0.1:{server.port}"):
        ping(RedisConnection("127.0.0.1", server.port, timeout_seconds=0.05), wait=wait_none())

    assert server.connections == 5


def test_a_server_that_is_still_loading_is_tried_again(
    wire_server: Callable[[list[bytes | None]], WireServer],
) -> None:
    loading = b"-LOADING Redis is loading the dataset in memory\r\n"
    server = wire_server([loading] * 5)

    with pytest.raises(RedisUnavailableError, match="loading"):
        ping(RedisConnection("127.0.0.1", server.port), wait=wait_none())
