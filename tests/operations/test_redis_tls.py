"""A real Redis with TLS, users and databases, as managed services have it."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from certificates import Certificates
from tenacity import wait_none

from candle_ingestor.exchanges.markets import CachedMarkets
from candle_ingestor.exchanges.redis_markets_cache import RedisMarketsCache
from candle_ingestor.operations.redis_client import (
    RedisRefusedError,
    RedisUnavailableError,
    ping,
)
from candle_ingestor.operations.redis_connection import RedisConnection, parse_redis_url
from candle_ingestor.operations.redis_run_lock import RedisRunLock
from candle_ingestor.symbols.redis_source import read_symbols

KEY = "top_cryptocurrencies"
USER = "candle_ingestor"
PASSWORD = "user's s3cret/word"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def managed(start_redis: Callable[..., Any], certificates: Certificates) -> Iterator[Any]:
    server = start_redis(certificates)
    yield server
    server.end()


@pytest.fixture
def administrator(managed: Any) -> Iterator[Any]:
    """A client that may do everything, of database 3."""
    connection = managed.connection
    client = redis.Redis(
        host=connection.host,
        port=connection.port,
        password=connection.password,
        db=3,
        ssl=True,
        ssl_ca_certs=str(connection.ca_file),
    )
    with closing(client):
        client.flushall()
        yield client


@pytest.fixture
def restricted(managed: Any, administrator: Any) -> RedisConnection:
    """A user with the rights that docs/deploy.md tells to give, on database 3."""
    [rules] = [
        shlex.split(line)
        for line in (DOCS / "deploy.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("ACL SETUSER")
    ]
    administrator.execute_command(*(rule.replace("PASSWORD", PASSWORD) for rule in rules))
    url = f"rediss://{USER}:user's%20s3cret%2Fword@127.0.0.1:{managed.connection.port}/3"
    return replace(parse_redis_url(url, "--redis_url"), ca_file=managed.connection.ca_file)


def test_symbols_lock_and_markets_are_those_of_the_url_s_user_and_database(
    restricted: RedisConnection, administrator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    kinds: dict[str, Callable[[], object]] = {
        "string": lambda: administrator.set(KEY, '["BTC/USD"]'),
        "list": lambda: administrator.rpush(KEY, "BTC/USD"),
        "set": lambda: administrator.sadd(KEY, "BTC/USD"),
        "zset": lambda: administrator.zadd(KEY, {"BTC/USD": 1}),
    }
    for kind, put in kinds.items():
        administrator.delete(KEY)
        put()
        symbols = read_symbols(restricted, KEY).requests
        assert [str(each.symbol) for each in symbols] == ["BTC/USD"], kind
    with RedisRunLock(restricted, "a name", started_ms=0, lease_seconds=3) as lock:
        assert administrator.exists(lock.key)
    assert not administrator.exists(lock.key)
    cache = RedisMarketsCache(restricted, 60)
    assert cache.write("kraken", "default", CachedMarkets([], 1)) is None
    assert len(administrator.keys("candle_ingestor:markets:*")) == 1
    cache.read("kraken", "default")
    assert "goes on without the cache" not in caplog.text
    with pytest.raises(RedisRefusedError, match="access rules"):
        read_symbols(restricted, "another key")


def test_a_wrong_user_or_password_is_final_and_not_shown(restricted: RedisConnection) -> None:
    for wrong in (replace(restricted, password="wr0ng"), replace(restricted, username="nobody")):
        with pytest.raises(RedisRefusedError, match="refuses the login") as caught:
            ping(wrong)
        for secret in ("wr0ng", PASSWORD):
            assert secret not in str(caught.getrepr(style="native"))
        assert "--redis_url" in str(caught.value)


def test_a_database_that_is_not_there_is_final(managed: Any) -> None:
    with pytest.raises(RedisRefusedError, match="check the number at the end of the URL"):
        ping(replace(managed.connection, database=99))


def test_a_certificate_of_an_unknown_authority_is_final(
    managed: Any, certificates: Certificates
) -> None:
    for ca_file in (None, certificates.stranger):
        with pytest.raises(RedisRefusedError, match="--redis_ca_file") as caught:
            ping(replace(managed.connection, ca_file=ca_file))
        assert "certificate is not trusted" in str(caught.value)
        assert str(caught.value).count(str(managed.connection.port)) == 1


def test_a_certificate_of_another_host_is_final(managed: Any) -> None:
    with pytest.raises(RedisRefusedError, match="check the host in the URL"):
        ping(replace(managed.connection, host="127.1"))


def test_tls_where_there_is_none_is_told_as_a_possible_cause(
    redis_server: RedisConnection,
) -> None:
    plain = replace(redis_server, is_tls=True, timeout_seconds=0.2)
    with pytest.raises(RedisUnavailableError, match="if it has no TLS, give redis://"):
        ping(plain, wait=wait_none())


def test_a_server_that_answers_tls_in_plain_words_is_no_redis(
    answering_with: Callable[[bytes], int],
) -> None:
    port = answering_with(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(RedisRefusedError, match="it speaks no TLS there"):
        ping(RedisConnection("127.0.0.1", port, is_tls=True))


def test_no_tls_where_there_must_be_is_told_as_a_possible_cause(managed: Any) -> None:
    plain = replace(managed.connection, is_tls=False, ca_file=None)
    with pytest.raises(RedisUnavailableError, match="if it wants TLS, give --redis_url=rediss://"):
        ping(plain, wait=wait_none())


def test_the_command_that_a_message_tells_works(
    restricted: RedisConnection,
    administrator: Any,
    missing_real_part: Callable[[str], NoReturn],
) -> None:
    if shutil.which("redis-cli") is None:
        missing_real_part("redis-cli; on Debian: apt-get install redis-tools")
    with pytest.raises(RedisRefusedError, match="set it with: ") as caught:
        read_symbols(restricted, KEY)
    command = str(caught.value).partition("set it with: ")[2]
    administrator.execute_command("ACL", "SETUSER", USER, "+set", f"~{KEY}")
    done = subprocess.run(
        shlex.split(command), input=f"{PASSWORD}\n", capture_output=True, text=True, check=False
    )
    assert "OK" in done.stdout, done.stderr
    assert json.loads(administrator.get(KEY)) == ["BTC/USD", "ETH/USD"]
