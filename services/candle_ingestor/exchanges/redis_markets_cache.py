"""Markets of exchanges kept in Redis, for jobs that keep no disk."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from redis import Redis
from tenacity import wait_none

from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.kept_markets import checked_markets
from candle_ingestor.exchanges.markets import FORMAT_VERSION, CachedMarkets
from candle_ingestor.operations.redis_client import RedisWrongTypeError, ask
from candle_ingestor.operations.redis_connection import RedisConnection

DAY_SECONDS = 86_400

_TRIES = 2
_LONGEST_WAIT_SECONDS = 1.0
_MOST_COMPRESSED_BYTES = 16 * 2**20
_MOST_BYTES = 128 * 2**20

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


def ttl_seconds_of(cache_hours: float) -> int:
    """How long markets are kept that are fresh for `cache_hours`.

    A week at least, since old markets serve where an exchange does not answer.
    """
    return round(min(max(7 * DAY_SECONDS, cache_hours * 3600), 3650 * DAY_SECONDS))


def markets_key(exchange: str, address: str) -> str:
    """Where the markets of an exchange at an address are.

    The address is there as a digest, since it may hold a login.
    """
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"candle_ingestor:markets:v{FORMAT_VERSION}:{exchange}:{digest}"


class RedisMarketsCache:
    """One key an exchange and address: compressed JSON that Redis drops after `ttl_seconds`.

    When Redis fails it is left alone from then on, so that a run waits for it and tells of it
    once. Waits are short: a fetch of the markets costs little more.
    """

    def __init__(self, connection: RedisConnection, ttl_seconds: int) -> None:
        hurried_seconds = min(connection.timeout_seconds, _LONGEST_WAIT_SECONDS)
        self._connection = replace(connection, timeout_seconds=hurried_seconds)
        self._ttl_seconds = ttl_seconds
        self._is_down = False

    def read(self, exchange: str, address: str) -> CachedMarkets | None:
        """The markets as they were written; None, with a warning, where that cannot be."""
        if self._is_down:
            return None
        key = markets_key(exchange, address)
        try:
            kept = self._ask(lambda client: client.getrange(key, 0, _MOST_COMPRESSED_BYTES))
            return _opened(kept) if kept else None
        except RedisWrongTypeError as error:
            _log.warning("%s", self._broken(exchange, key, error))
        except DependencyError as error:
            _log.warning("%s", self._down(error))
        except (ValueError, OverflowError, RecursionError) as error:
            _log.warning("%s", self._broken(exchange, key, error))
        return None

    def write(self, exchange: str, address: str, cached: CachedMarkets) -> str | None:
        """Keeps the markets. Returns why that did not work, once if Redis is what fails."""
        if self._is_down:
            return None
        key = markets_key(exchange, address)
        try:
            packed = _packed(cached)
        except (TypeError, ValueError, RecursionError) as error:
            return f"cannot keep the markets of {exchange} in {self._connection}: {error}"
        try:
            self._ask(lambda client: client.set(key, packed, ex=self._ttl_seconds))
        except DependencyError as error:
            return self._down(error)
        return None

    def _ask(self, question: Callable[[Redis], _Answer]) -> _Answer:
        return ask(self._connection, question, tries=_TRIES, wait=wait_none())

    def _down(self, error: DependencyError) -> str:
        self._is_down = True
        return f"this run goes on without the cache of markets: {error}"

    def _broken(self, exchange: str, key: str, error: Exception) -> str:
        return (
            f"the markets of {exchange} are asked for anew, since the key {key} of "
            f"{self._connection} is not what this job wrote: {error}"
        )


def _packed(cached: CachedMarkets) -> bytes:
    kept = {
        "format_version": FORMAT_VERSION,
        "fetched_ms": cached.fetched_ms,
        "markets": cached.markets,
    }
    packed = zlib.compress(json.dumps(kept, separators=(",", ":")).encode())
    if len(packed) > _MOST_COMPRESSED_BYTES:
        raise ValueError(f"they come to {len(packed)} bytes, more than is ever read back")
    return packed


def _opened(packed: Any) -> CachedMarkets:
    kept = json.loads(_inflated(packed))
    if not isinstance(kept, dict) or kept.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"it is not of format version {FORMAT_VERSION}")
    fetched_ms = kept.get("fetched_ms")
    if type(fetched_ms) is not int:
        raise ValueError("it does not say when it was fetched")
    return CachedMarkets(checked_markets(kept.get("markets")), fetched_ms)


def _inflated(packed: bytes) -> bytes:
    """The bytes, and never more of them than fit: a value in Redis may be anything."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"it cannot be decompressed ({error})") from error
    if not stream.eof or stream.unused_data:
        raise ValueError("it is cut short, goes on after its end, or is far too big")
    return inflated
