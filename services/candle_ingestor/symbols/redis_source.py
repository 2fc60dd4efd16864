"""Symbol lists from Redis."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from candle_ingestor.errors import DependencyError
from candle_ingestor.symbols.requests import SymbolList, parse_symbol_items
from candle_ingestor.symbols.sources import require_symbols

KEY_FLAG = "--redis_key_crypto_symbols"
_TRIES = 5
_DEFAULT_WAIT = wait_random_exponential(multiplier=0.5, max=8)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class RedisUnavailableError(DependencyError):
    """Redis cannot be reached now; a later run may."""


class RedisRefusedError(DependencyError):
    """Redis refuses the credentials, or holds something else than symbols; permanent."""


@dataclass(frozen=True)
class RedisConnection:
    """Where Redis is. The password is in no text made of it."""

    host: str = "localhost"
    port: int = 6379
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 5.0

    def __str__(self) -> str:
        return f"Redis at {self.host}:{self.port}"


def read_symbols(
    connection: RedisConnection, key: str, *, wait: wait_base = _DEFAULT_WAIT
) -> SymbolList:
    """The symbols under a key: a JSON list in a string, or the members of a list or set.

    Members are symbols or JSON objects. A set is taken in sorted order, a sorted set by rank.
    Network faults are tried 5 times, with `wait` between them.

    Raises:
        RedisUnavailableError: if Redis stays unreachable.
        RedisRefusedError: if it refuses, or the key holds no list of symbols.
    """
    source = f"the key {key!r} of {connection}"

    def read(client: redis.Redis) -> list[object]:
        return _read_items(client, key, source)

    items = _ask(connection, read, wait)
    return require_symbols(
        parse_symbol_items(items, source),
        lambda message: RedisRefusedError(f"{message} ({KEY_FLAG}); {_how_to_set(key)}"),
    )


def ping(connection: RedisConnection, *, wait: wait_base = _DEFAULT_WAIT) -> None:
    """Proves that Redis answers and takes the password.

    Raises:
        RedisUnavailableError: if it stays unreachable.
        RedisRefusedError: if it refuses.
    """
    _ask(connection, lambda client: client.ping(), wait)


def _ask(
    connection: RedisConnection, question: Callable[[redis.Redis], _Answer], wait: wait_base
) -> _Answer:
    def tell(state: RetryCallState) -> None:
        _log.warning(
            "%s does not answer (try %d of %d): %s",
            connection,
            state.attempt_number,
            _TRIES,
            state.outcome.exception() if state.outcome else None,
        )

    client = redis.Redis(
        host=connection.host,
        port=connection.port,
        password=connection.password or None,
        socket_timeout=connection.timeout_seconds,
        socket_connect_timeout=connection.timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        return Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait,
            retry=retry_if_exception(_is_transient),
            before_sleep=tell,
            reraise=True,
        )(question, client)
    except (redis.RedisError, UnicodeError, OverflowError) as error:
        raise _explained(connection, error) from error
    finally:
        client.close()


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, redis.AuthenticationError | redis.exceptions.AuthorizationError):
        return False
    return isinstance(error, redis.ConnectionError | redis.TimeoutError)


def _explained(connection: RedisConnection, error: Exception) -> DependencyError:
    if _is_transient(error):
        return RedisUnavailableError(
            f"{connection} cannot be reached: {error}; "
            "check --redis_host and --redis_port, and that it runs"
        )
    if isinstance(error, redis.AuthenticationError) or "AUTH" in str(error):
        advice = (
            "check --redis_password or REDIS_PASSWORD"
            if connection.password
            else "set REDIS_PASSWORD or --redis_password"
        )
        return RedisRefusedError(f"{connection} refuses the login: {error}; {advice}")
    return RedisRefusedError(
        f"{connection} cannot be used: {error}; "
        "check that --redis_host and --redis_port lead to a Redis"
    )


def _read_items(client: redis.Redis, key: str, source: str) -> list[object]:
    kind = _as_text(client.type(key))
    if kind == "string":
        return _json_list(client.get(key), key, source)
    members: list[Any]
    if kind == "list":
        members = client.lrange(key, 0, -1)
    elif kind == "set":
        members = sorted(_bytes_of(member) for member in client.smembers(key))
    elif kind == "zset":
        members = client.zrange(key, 0, -1)
    elif kind == "none":
        raise RedisRefusedError(f"{source} does not exist ({KEY_FLAG}); {_how_to_set(key)}")
    else:
        raise RedisRefusedError(
            f"{source} is a {kind}, not a string, list, set or sorted set ({KEY_FLAG}); "
            f"{_how_to_set(key)}"
        )
    return [_member_item(_bytes_of(member)) for member in members]


def _json_list(value: Any, key: str, source: str) -> list[object]:
    try:
        items = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RedisRefusedError(
            f"{source} is malformed JSON: {error} ({KEY_FLAG}); {_how_to_set(key)}"
        ) from error
    if not isinstance(items, list):
        raise RedisRefusedError(
            f"{source} holds JSON that is no list ({KEY_FLAG}); {_how_to_set(key)}"
        )
    return items


def _member_item(member: bytes) -> object:
    """A member as text, or as the object that its JSON says; bytes where it is no text."""
    try:
        text = member.decode("utf-8")
        return json.loads(text) if text.lstrip().startswith("{") else text
    except UnicodeDecodeError:
        return member
    except (ValueError, RecursionError):
        return text


def _bytes_of(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"redis-py answers with {type(value).__name__} where bytes were asked for")
    return value


def _as_text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _how_to_set(key: str) -> str:
    shown = shlex.quote(key) if key.isprintable() else "KEY"
    return f"""set it with: redis-cli SET {shown} '["BTC/USD", "ETH/USD"]'"""
