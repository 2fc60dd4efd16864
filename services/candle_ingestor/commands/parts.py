"""Builds the real parts of a command from its configuration.

Libraries of a part are loaded when it is built: ccxt takes most of a second, Redis a tenth.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from candle_ingestor.config import Config
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.progress import NoProgress, Progress, ProgressLines
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.symbols import sources
from candle_ingestor.symbols.requests import SymbolList
from candle_ingestor.symbols.tiers import symbols_of_tiers

if TYPE_CHECKING:
    from candle_ingestor.exchanges.markets import MarketsCache

log = logging.getLogger(__name__)


def load_symbols(config: Config) -> SymbolList:
    """The symbols from the flag, the file or Redis, with what was passed over said in the log.

    Raises:
        ConfigurationError: if flag or file cannot be used.
        DependencyError: if Redis cannot.
    """
    symbols = _read_symbols(config)
    for item in symbols.rejected:
        log.warning("%s: passed over %s: %s", symbols.source, item.shown, item.reason)
    for note in symbols.notes:
        log.log(
            # Whoever fills a key of Redis may keep more in it than this job wants.
            logging.INFO if config.symbols.are_in_redis else logging.WARNING,
            "%s: %s",
            symbols.source,
            note,
        )
    if symbols.rejected or symbols.duplicates:
        log.info(
            "%s: %s, %d passed over, %s merged",
            symbols.source,
            counted(len(symbols.requests), "symbol"),
            len(symbols.rejected),
            counted(symbols.duplicates, "double"),
        )
    return symbols


def chosen_symbols(config: Config) -> SymbolList:
    """The symbols that a run works on: of all that are listed, those of --tier.

    Raises:
        ConfigurationError: as `load_symbols`, or if no symbol has one of these tiers.
        DependencyError: as `load_symbols`.
    """
    return symbols_of_tiers(load_symbols(config), config.symbols.tiers)


def markets_cache(config: Config) -> MarketsCache:
    """In Redis where that is configured, else on disk beside the SQLite file."""
    if config.uses_redis:
        from candle_ingestor.exchanges.redis_markets_cache import RedisMarketsCache, ttl_seconds_of

        return RedisMarketsCache(config.redis, ttl_seconds_of(config.exchanges.markets_cache_hours))
    from candle_ingestor.exchanges.markets import DiskMarketsCache

    return DiskMarketsCache(config.store.sqlite_path.parent / "markets_cache")


def make_progress(choice: str, stop: StopSignal | None = None) -> Progress:
    """Bars on a terminal, log lines elsewhere, both where the log goes; nothing for `off`.

    `stop` is what asks the command to finish; None where nothing does.
    """
    if choice == "off":
        return NoProgress()
    from candle_ingestor.operations.screen import standard_error

    def is_stopping() -> bool:
        return stop is not None and stop.reason is not None

    screen = standard_error()
    if not screen.can_redraw:
        return ProgressLines(is_stopping)
    from candle_ingestor.operations.progress_bars import ProgressBars

    return ProgressBars(screen, is_stopping)


def log_mode(config: Config) -> None:
    """Says which exchanges are used, in the words that users know (rule M1)."""
    names = config.exchanges.names
    minimum = config.rules.min_exchanges
    if len(names) == 1:
        log.info("Single-exchange mode: using %s", names[0])
        return
    log.info("Multi-exchange mode: using %d exchanges with %s as primary", len(names), names[0])
    if config.is_minimum_detected:
        log.info("Auto-detected min_exchanges_required: %d", minimum)
    else:
        log.info("Minimum exchanges required: %d", minimum)


def _read_symbols(config: Config) -> SymbolList:
    named = config.symbols
    if named.symbols is not None:
        return sources.from_flag(named.symbols)
    if named.symbols_file is not None:
        return sources.from_file(named.symbols_file)
    from candle_ingestor.symbols.redis_source import read_symbols

    return read_symbols(config.redis, named.redis_key)
