import json
import logging
import pickle
import random
import signal
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.exchanges.availability import learn_markets
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.kept_markets import checked_markets
from candle_ingestor.exchanges.markets import (
    FORMAT_VERSION,
    CachedMarkets,
    markets_by_symbol,
)
from candle_ingestor.exchanges.redis_markets_cache import (
    RedisMarketsCache,
    markets_key,
    ttl_seconds_of,
)
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.stopping import StopSignal
from exchange_simulator import CCXT_DIALECTS, ExchangeSimulator, SimulatorClock

WEEK_SECONDS = 7 * 86_400
NOW_MS = 1_709_642_060_000
ADDRESS = "default"
KEY = markets_key("kraken", ADDRESS)
KRAKEN = ccxt.kraken()


def market(base: str = "BTC", quote: str = "USD") -> dict[str, Any]:
    """A market dictionary in ccxt's shape."""
    return {
        "id": f"{base}{quote}",
        "symbol": f"{base}/{quote}",
        "base": base,
        "quote": quote,
        "baseId": base,
        "quoteId": quote,
        "type": "spot",
        "spot": True,
        "active": True,
        "linear": None,
        "taker": 0.0026,
        "precision": {"price": 0.1, "amount": 1e-08},
        "limits": {"amount": {"min": 0.0001, "max": None}},
        "created": 1_380_000_000_000,
        "info": {},
    }


MARKETS = [market(), market("ETH", "USD"), market("币安人生", "USDT")]
CACHED = CachedMarkets(MARKETS, NOW_MS)


def packed(kept: object) -> bytes:
    return zlib.compress(json.dumps(kept).encode())


def kept_as(**changes: object) -> dict[str, object]:
    kept = {"format_version": FORMAT_VERSION, "fetched_ms": NOW_MS, "markets": MARKETS}
    return {**kept, **changes}


def changed(**changes: object) -> bytes:
    return packed(kept_as(markets=[*MARKETS, {**market(), **changes}]))


@pytest.fixture
def cache(redis_server: RedisConnection, redis_client: redis.Redis) -> RedisMarketsCache:
    assert redis_client.dbsize() == 0
    return RedisMarketsCache(redis_server, WEEK_SECONDS)


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    return lambda: [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_what_one_run_writes_the_next_one_reads(
    cache: RedisMarketsCache, redis_server: RedisConnection
) -> None:
    assert cache.read("kraken", ADDRESS) is None
    assert cache.write("kraken", ADDRESS, CACHED) is None

    assert RedisMarketsCache(redis_server, 1).read("kraken", ADDRESS) == CACHED


def test_exchanges_and_addresses_have_markets_of_their_own(cache: RedisMarketsCache) -> None:
    others = {
        (exchange, address): CachedMarkets([market(base)], NOW_MS)
        for base, (exchange, address) in enumerate_bases(
            ("kraken", "http://127.0.0.1:1"), ("kraken", "default"), ("gate", "default")
        )
    }
    for (exchange, address), cached in others.items():
        assert cache.write(exchange, address, cached) is None

    assert {where: cache.read(*where) for where in others} == others
    assert cache.read("gate", "http://127.0.0.1:1") is None


def enumerate_bases(*places: tuple[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    return ((f"C{number}", place) for number, place in enumerate(places))


def test_a_key_is_small_versioned_without_a_login_and_goes_by_itself(
    cache: RedisMarketsCache, redis_client: redis.Redis
) -> None:
    many = CachedMarkets([market(f"C{number}") for number in range(2000)], NOW_MS)
    assert cache.write("kraken", "http://user:s3cret@proxy", many) is None

    [key] = redis_client.keys()
    assert f":v{FORMAT_VERSION}:kraken:".encode() in key
    assert b"s3cret" not in key
    assert WEEK_SECONDS - 60 < redis_client.ttl(key) <= WEEK_SECONDS
    assert redis_client.strlen(key) < len(json.dumps(many.markets)) / 10


def test_markets_are_kept_for_a_week_and_for_as_long_as_they_are_fresh() -> None:
    assert ttl_seconds_of(0) == WEEK_SECONDS
    assert ttl_seconds_of(24) == WEEK_SECONDS
    assert ttl_seconds_of(24 * 30) == 30 * 86_400


def test_the_longest_time_that_a_flag_can_say_is_one_that_redis_takes(
    redis_server: RedisConnection, redis_client: redis.Redis
) -> None:
    cache = RedisMarketsCache(redis_server, ttl_seconds_of(1e300))

    assert cache.write("kraken", ADDRESS, CACHED) is None
    assert redis_client.ttl(KEY) > 365 * 86_400


BROKEN = {
    "empty json": packed({}),
    "no compression": json.dumps(kept_as()).encode(),
    "noise": random.Random(5).randbytes(5000),
    "no json": zlib.compress(b"markets"),
    "no utf-8": zlib.compress(b"\xff\xfe{}"),
    "cut": packed(kept_as())[:-20],
    "cut in its checksum": packed(kept_as())[:-1],
    "followed by more": packed(kept_as()) + b"x",
    "code": zlib.compress(pickle.dumps(kept_as())),
    "deep": zlib.compress(b"[" * 200_000),
    "far too big": zlib.compress(json.dumps(kept_as()).encode() + b" " * (200 * 2**20), 1),
    "a list": packed([kept_as()]),
    "another version": packed(kept_as(format_version=FORMAT_VERSION + 1)),
    "no time": packed(kept_as(fetched_ms=None)),
    "a time that is a truth": packed(kept_as(fetched_ms=True)),
    "a time that is a fraction": packed(kept_as(fetched_ms=1e300)),
    "a number of too many digits": zlib.compress(b'{"format_version": ' + b"1" * 5000 + b"}"),
    "no markets": packed(kept_as(markets=None)),
    "zero markets": packed(kept_as(markets=[])),
    "markets by symbol": packed(kept_as(markets={"BTC/USD": market()})),
    "a market that is text": packed(kept_as(markets=["BTC/USD"])),
    "an id that is a number": changed(id=7),
    "an id that bends an address": changed(id="../../orders?side=sell"),
    "an id of two lines": changed(id="BTC\r\nUSD"),
    "no quote": changed(quote=None),
    "a precision that is a list": changed(precision=[1]),
    "a precision that is text": changed(precision={"price": "0.1"}),
    "a precision that is no number": changed(precision={"price": float("nan")}),
    "an endless precision": changed(precision={"amount": float("inf")}),
    "limits that are text": changed(limits="none"),
    "created never": changed(created="2020"),
    "a future": changed(spot=False),
    "a spot that is text": changed(spot="yes"),
}


@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_value_is_one_warning_and_nothing_read_until_it_is_written_again(
    cache: RedisMarketsCache,
    redis_client: redis.Redis,
    warnings_of: Callable[[], list[str]],
    value: bytes,
) -> None:
    redis_client.set(KEY, value)

    assert cache.read("kraken", ADDRESS) is None

    [warning] = warnings_of()
    assert "kraken" in warning
    assert KEY in warning
    assert warning.isprintable()
    assert len(warning) < 500
    assert cache.read("gate", ADDRESS) is None
    assert cache.write("kraken", ADDRESS, CACHED) is None
    assert cache.read("kraken", ADDRESS) == CACHED


def test_a_key_of_another_kind_is_a_warning_and_is_replaced(
    cache: RedisMarketsCache, redis_client: redis.Redis, warnings_of: Callable[[], list[str]]
) -> None:
    redis_client.rpush(KEY, "BTC/USD")

    assert cache.read("kraken", ADDRESS) is None

    [warning] = warnings_of()
    assert KEY in warning
    assert cache.write("kraken", ADDRESS, CACHED) is None
    assert cache.read("kraken", ADDRESS) == CACHED


def test_what_another_schema_version_keeps_is_not_touched(
    cache: RedisMarketsCache, redis_client: redis.Redis, warnings_of: Callable[[], list[str]]
) -> None:
    other = KEY.replace(f":v{FORMAT_VERSION}:", f":v{FORMAT_VERSION + 1}:")
    redis_client.set(other, b"something newer")

    assert cache.read("kraken", ADDRESS) is None
    assert cache.write("kraken", ADDRESS, CACHED) is None

    assert redis_client.get(other) == b"something newer"
    assert warnings_of() == []


def test_markets_that_are_no_json_are_a_complaint(cache: RedisMarketsCache) -> None:
    endless: dict[str, Any] = market()
    endless["info"] = endless
    for odd in ({**market(), "info": object()}, endless):
        complaint = cache.write("kraken", ADDRESS, CachedMarkets([odd], NOW_MS))
        assert complaint is not None
        assert "kraken" in complaint
    assert cache.write("kraken", ADDRESS, CACHED) is None


def using_every_way(cache: RedisMarketsCache) -> list[str]:
    """The complaints of a run over three exchanges that finds nothing in the cache."""
    exchanges = ("kraken", "gate", "mexc")
    assert [cache.read(exchange, ADDRESS) for exchange in exchanges] == [None, None, None]
    told = [cache.write(exchange, ADDRESS, CACHED) for exchange in exchanges]
    return [complaint for complaint in told if complaint is not None]


def test_a_redis_that_is_down_is_told_once(
    closed_port: int, warnings_of: Callable[[], list[str]]
) -> None:
    cache = RedisMarketsCache(RedisConnection("127.0.0.1", closed_port), WEEK_SECONDS)

    assert using_every_way(cache) == []

    [told] = [text for text in warnings_of() if "without the cache of markets" in text]
    assert f"127.0.0.1:{closed_port}" in told


class SilentServer:
    """Takes connections and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def connections(self) -> int:
        return len(self._taken)

    def _serve(self) -> None:
        while True:
            try:
                self._taken.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._taken:
            connection.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_a_redis_that_hangs_stalls_a_run_once_and_shortly(
    silent_server: SilentServer, warnings_of: Callable[[], list[str]]
) -> None:
    connection = RedisConnection("127.0.0.1", silent_server.port, timeout_seconds=60)
    cache = RedisMarketsCache(connection, WEEK_SECONDS)

    started = time.monotonic()
    assert using_every_way(cache) == []

    assert time.monotonic() - started < 10
    assert silent_server.connections == 2
    assert len([text for text in warnings_of() if "without the cache" in text]) == 1


def test_a_wrong_password_is_told_once_and_not_shown(
    redis_server: RedisConnection, caplog: pytest.LogCaptureFixture
) -> None:
    connection = RedisConnection(redis_server.host, redis_server.port, "wrong-secret")

    assert using_every_way(RedisMarketsCache(connection, WEEK_SECONDS)) == []

    [record] = caplog.records
    assert "--redis_password" in record.getMessage()
    assert "wrong-secret" not in caplog.text


def test_a_redis_that_dies_between_reading_and_writing_is_one_complaint(
    own_redis: Any, warnings_of: Callable[[], list[str]]
) -> None:
    cache = RedisMarketsCache(own_redis.connection, WEEK_SECONDS)
    assert cache.write("kraken", ADDRESS, CACHED) is None
    assert cache.read("kraken", ADDRESS) == CACHED

    own_redis.end(signal.SIGKILL)
    complaint = cache.write("gate", ADDRESS, CACHED)
    assert complaint is not None
    assert "without the cache" in complaint
    assert cache.write("mexc", ADDRESS, CACHED) is None
    assert cache.read("kraken", ADDRESS) is None
    assert not [text for text in warnings_of() if "without the cache" in text]

    own_redis.start()
    assert RedisMarketsCache(own_redis.connection, 1).read("kraken", ADDRESS) == CACHED


def test_a_redis_that_is_full_is_one_complaint(own_redis: Any) -> None:
    with redis.Redis(
        port=own_redis.connection.port, password=own_redis.connection.password
    ) as client:
        client.config_set("maxmemory", 1)

    [complaint] = using_every_way(RedisMarketsCache(own_redis.connection, WEEK_SECONDS))

    assert "maxmemory" in complaint


async def learnt(
    addresses: dict[str, str], cache: RedisMarketsCache, now_ms: int
) -> dict[str, set[Symbol] | None]:
    """The symbols that a run would learn of at the exchanges' addresses."""
    policy = RetryPolicy(first_wait_seconds=0.001, longest_wait_seconds=0.002)
    sessions = [
        ExchangeSession(
            CcxtClient(exchange, ExchangeSettings(base_url=url, requests_per_minute=0)),
            policy,
            StopSignal(),
        )
        for exchange, url in addresses.items()
    ]
    try:
        markets, errors = await learn_markets(sessions, cache, now_ms, cache_hours=24)
    finally:
        await close_all([session.client for session in sessions])
    assert errors == {}
    return {exchange: set(found or ()) for exchange, found in markets.items()}


async def test_runs_learn_markets_once_and_use_old_ones_where_exchanges_are_down(
    cache: RedisMarketsCache, warnings_of: Callable[[], list[str]]
) -> None:
    clock = SimulatorClock(NOW_MS, frozen=True)
    async with ExchangeSimulator(clock=clock) as simulator:
        addresses = {exchange: simulator.base_url(exchange) for exchange in CCXT_DIALECTS}
        fetched = await learnt(addresses, cache, NOW_MS)
        assert all(fetched.values())
        simulator.requests.reset()
        assert await learnt(addresses, cache, NOW_MS + HOUR_MS) == fetched
        assert not any(map(simulator.requests.other_request_count, addresses))
        assert warnings_of() == []

    assert await learnt(addresses, cache, NOW_MS + 48 * HOUR_MS) == fetched
    assert len([text for text in warnings_of() if "as of before" in text]) == len(addresses)


async def test_a_run_learns_markets_without_redis(
    closed_port: int, warnings_of: Callable[[], list[str]]
) -> None:
    cache = RedisMarketsCache(RedisConnection("127.0.0.1", closed_port), WEEK_SECONDS)
    clock = SimulatorClock(NOW_MS, frozen=True)
    async with ExchangeSimulator(clock=clock) as simulator:
        addresses = {exchange: simulator.base_url(exchange) for exchange in ("kraken", "binanceus")}
        assert all((await learnt(addresses, cache, NOW_MS)).values())

    assert len([text for text in warnings_of() if "without the cache" in text]) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)


@given(
    changes=st.dictionaries(st.sampled_from(sorted(market())), JSON, max_size=3),
    precision=st.dictionaries(st.sampled_from(["price", "amount", "base", "cost"]), JSON),
    position=st.integers(0, 2),
)
def test_whatever_passes_the_check_can_be_used(
    changes: dict[str, Any], precision: dict[str, Any], position: int
) -> None:
    odd = {**market(), "precision": {**market()["precision"], **precision}, **changes}
    markets = [market("ETH", "USD"), market("SOL", "USD")]
    markets.insert(position, odd)
    try:
        checked = checked_markets(markets)
    except ValueError:
        return

    KRAKEN.set_markets(checked)
    for found in markets_by_symbol("kraken", checked).values():
        assert found.price_step is None or 0 <= found.price_step < float("inf")
