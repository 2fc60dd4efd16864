"""Symbol lists from the command line and from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.model.texts import some_of
from candle_ingestor.symbols.file_formats import READERS
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
    """The symbols of a file in one of the formats of `file_formats`, told apart by its ending.

    Raises:
        ConfigurationError: if the file is missing, malformed, or names no symbol.
    """
    path = Path(path)
    source = f"{SYMBOLS_FILE_FLAG}={path}"
    read_items = READERS.get(path.suffix.lower())
    if read_items is None:
        *endings, last = READERS
        raise ConfigurationError(f"{source} must end in {', '.join(endings)} or {last}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source} is not UTF-8 text: {error}") from error
    try:
        items, notes = read_items(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source} cannot be used: {error}") from error
    found = parse_symbol_items(items, source)
    found = replace(found, notes=notes + found.notes)
    return require_symbols(found, ConfigurationError)


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
    rejected = [f"{item.shown} {item.reason}" for item in symbols.rejected]
    named = some_of(rejected, _MAX_REJECTED_NAMED, "; ")
    raise error_type(f"{symbols.source} names no symbol that can be used: {named}")
