"""Symbol lists from the command line and from files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.symbols.requests import SymbolList, parse_symbol_items

SYMBOLS_FLAG = "--symbols"
SYMBOLS_FILE_FLAG = "--symbols_file"
_MAX_REJECTED_NAMED = 3


def from_flag(text: str) -> SymbolList:
    """The symbols of `--symbols=BTC/USD,ETH/USD`.

    Raises:
        ConfigurationError: if it names none.
    """
    items = [item for item in (part.strip() for part in text.split(",")) if item]
    return require_symbols(parse_symbol_items(items, SYMBOLS_FLAG), ConfigurationError)


def from_file(path: Path | str) -> SymbolList:
    """The symbols of a JSON or TOML file, told apart by its ending.

    JSON is a list of texts or objects, or an object with that list under `symbols`. TOML has
    such a list under `symbols`, tables `[[symbol]]` or `[[symbols]]`, or both.

    Raises:
        ConfigurationError: if the file is missing, malformed, or names no symbol.
    """
    path = Path(path)
    source = f"{SYMBOLS_FILE_FLAG}={path}"
    readers = {".json": _json_items, ".toml": _toml_items}
    read_items = readers.get(path.suffix.lower())
    if read_items is None:
        raise ConfigurationError(f"{source} must end in .json or .toml")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source} is not UTF-8 text: {error}") from error
    try:
        items = read_items(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source} cannot be used: {error}") from error
    return require_symbols(parse_symbol_items(items, source), ConfigurationError)


def require_symbols(
    symbols: SymbolList, error_type: Callable[[str], CandleIngestorError]
) -> SymbolList:
    """The list itself, if it names a symbol at all.

    Raises:
        CandleIngestorError: made by `error_type`, with the first of the rejected items.
    """
    if symbols.requests:
        return symbols
    if not symbols.rejected:
        raise error_type(f"{symbols.source} names no symbol")
    named = "; ".join(
        f"{item.shown} {item.reason}" for item in symbols.rejected[:_MAX_REJECTED_NAMED]
    )
    more = len(symbols.rejected) - _MAX_REJECTED_NAMED
    raise error_type(
        f"{symbols.source} names no symbol that can be used: {named}"
        + (f"; and {more} more" if more > 0 else "")
    )


def _json_items(text: str) -> list[object]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    if isinstance(value, dict):
        value = value.get("symbols")
    if not isinstance(value, list):
        raise ValueError('a list such as ["BTC/USD", {"symbol": "ETH/USD", "tier": 1}] is wanted')
    return value


def _toml_items(text: str) -> list[object]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"malformed TOML: {error}") from error
    lists = [tables[name] for name in ("symbols", "symbol") if name in tables]
    if not lists or not all(isinstance(items, list) for items in lists):
        raise ValueError('symbols = ["BTC/USD", ...] or [[symbol]] tables are wanted')
    return [item for items in lists for item in items]
