"""What the flags say of archive files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from candle_ingestor.archives.layout import parse_columns
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.config.given import FlagValues, needed_path, path_of
from candle_ingestor.config.groups import ArchivesConfig
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.names import RENAMED, unknown_name
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol, SymbolError
from candle_ingestor.model.timeframe import Timeframe

_OF_ANY_CSV = ("archive_exchange", "archive_symbol", "archive_timeframe")


def archives_from_flags(
    values: FlagValues, known: Collection[str], paths: Sequence[str]
) -> ArchivesConfig:
    """How archive files are read, by the flags; `known` are the exchanges that there are.

    Raises:
        ConfigurationError: if a flag cannot be used, or lacks others that go with it.
    """
    return ArchivesConfig(
        naming=_naming(values, known),
        skips_bad_rows=values.skip_bad_rows,
        prefers_archive=values.prefer == "archive",
        paths=tuple(map(path_of, paths)),
        folder=_folder(values.archive_dir),
    )


def _folder(text: str | None) -> Path | None:
    return None if text is None else needed_path("archive_dir", text)


def _naming(values: FlagValues, known: Collection[str]) -> Naming:
    exchange = _exchange(values.archive_exchange, known)
    if values.archive_columns is None:
        alone = [name for name in _OF_ANY_CSV[1:] if getattr(values, name) is not None]
        if alone:
            raise ConfigurationError(
                f"--{alone[0]} goes with --archive_columns; of a file in the form of Kraken or "
                "Binance its name tells"
            )
        return Naming(exchange)
    missing = [f"--{name}" for name in _OF_ANY_CSV if getattr(values, name) is None]
    if exchange is None or missing:
        them = "it" if len(missing) == 1 else "them"
        raise ConfigurationError(
            f"--archive_columns goes with {', '.join(missing)}; give {them}, too"
        )
    try:
        symbol = Symbol.parse(values.archive_symbol)
    except SymbolError as error:
        raise ConfigurationError(f"--archive_symbol: {error}") from error
    series = Series(exchange, symbol, Timeframe(values.archive_timeframe))
    return Naming(exchange, parse_columns(values.archive_columns), series)


def _exchange(name: str | None, known: Collection[str]) -> str | None:
    if name is None:
        return None
    found = RENAMED.get(name, name) if name not in known else name
    if found not in known:
        raise ConfigurationError(f"--archive_exchange: {unknown_name(name, known)}")
    return found
