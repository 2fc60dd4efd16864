"""Symbol lists from Redis."""

from __future__ import annotations

import json
import shlex
from typing import Any

import redis
from tenacity.wait import wait_base

from candle_ingestor.operations.redis_client import DEFAULT_WAIT, RedisRefusedError, ask
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.symbols.requests import SymbolList, parse_symbol_items
from candle_ingestor.symbols.sources import require_symbols

KEY_FLAG = "--redis_key_crypto_symbols"


def read_symbols(
    connection: RedisConnection, key: str, *, wait: wait_base = DEFAULT_WAIT
) -> SymbolList:
    """The symbols under a key: a JSON list in a string, or the members of a list or set.

    Members are symbols or JSON objects. A set is taken in sorted order, a sorted set by rank.
    Network faults are tried 5 times, with `wait` between them.

    Raises:
        RedisUnavailableError: if Redis stays unreachable.
        RedisRefusedError: if it refuses, or the key holds no list of symbols.
    """
    source = f"the key {key!r} of {connection}"
    how_to_set = _how_to_set(connection, key)

    def read(client: redis.Redis) -> list[object]:
        return _read_items(client, key, source, how_to_set)

    items = ask(connection, read, wait=wait)
    return require_symbols(
        parse_symbol_items(items, source),
        lambda message: RedisRefusedError(f"{message} ({KEY_FLAG}); {how_to_set}"),
    )


def _read_items(client: redis.Redis, key: str, source: str, how_to_set: str) -> list[object]:
    kind = _as_text(client.type(key))
    if kind == "string":
        return _json_list(client.get(key), source, how_to_set)
    members: list[Any]
    if kind == "list":
        members = client.lrange(key, 0, -1)
    elif kind == "set":
        members = sorted(_bytes_of(member) for member in client.smembers(key))
    elif kind == "zset":
        members = client.zrange(key, 0, -1)
    elif kind == "none":
        raise RedisRefusedError(f"{source} does not exist ({KEY_FLAG}); {how_to_set}")
    else:
        raise RedisRefusedError(
            f"{source} is a {kind}, not a string, list, set or sorted set ({KEY_FLAG}); "
            f"{how_to_set}"
        )
    return [_member_item(_bytes_of(member)) for member in members]


def _json_list(value: Any, source: str, how_to_set: str) -> list[object]:
    try:
        items = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RedisRefusedError(
            f"{source} is malformed JSON: {error} ({KEY_FLAG}); {how_to_set}"
        ) from error
    if not isinstance(items, list):
        raise RedisRefusedError(f"{source} holds JSON that is no list ({KEY_FLAG}); {how_to_set}")
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


def _how_to_set(connection: RedisConnection, key: str) -> str:
    shown = shlex.quote(key) if key.isprintable() else "KEY"
    command = connection.client_command()
    return f"""set it with: {command} SET {shown} '["BTC/USD", "ETH/USD"]'"""
