"""Builds the real parts of a run from its configuration."""

from __future__ import annotations

import logging

from rich.console import Console

from candle_ingestor.config import Config
from candle_ingestor.exchanges.client import CcxtClient
from candle_ingestor.exchanges.markets import DiskMarketsCache, MarketsCache
from candle_ingestor.exchanges.redis_markets_cache import RedisMarketsCache, ttl_seconds_of
from candle_ingestor.ingest.run import RunParts
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import (
    NoProgress,
    ProgressBars,
    ProgressLines,
    RunProgress,
)
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols import sources
from candle_ingestor.symbols.redis_source import read_symbols
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)


def load_symbols(config: Config) -> SymbolList:
    """The symbols from the flag, the file or Redis, with what was passed over said in the log.

    Raises:
        ConfigurationError: if flag or file cannot be used.
        DependencyError: if Redis cannot.
    """
    if config.symbols is not None:
        symbols = sources.from_flag(config.symbols)
    elif config.symbols_file is not None:
        symbols = sources.from_file(config.symbols_file)
    else:
        symbols = read_symbols(config.redis, config.redis_key_crypto_symbols)
    for item in symbols.rejected:
        log.warning("%s: passed over %s: %s", symbols.source, item.shown, item.reason)
    if symbols.rejected or symbols.duplicates:
        log.info(
            "%s: %d symbols, %d passed over, %d doubles merged",
            symbols.source,
            len(symbols.requests),
            len(symbols.rejected),
            symbols.duplicates,
        )
    return symbols


def make_clients(config: Config) -> list[CcxtClient]:
    """A ccxt client an exchange. Needs a running event loop."""
    return [
        CcxtClient(
            exchange,
            config.exchange_settings[exchange],
            extra_delay_seconds=config.api_call_delay_seconds,
            timeout_seconds=config.request_timeout_seconds,
        )
        for exchange in config.exchanges
    ]


def markets_cache(config: Config) -> MarketsCache:
    """In Redis where that is configured, else on disk beside the SQLite file."""
    if config.uses_redis:
        return RedisMarketsCache(config.redis, ttl_seconds_of(config.markets_cache_hours))
    return DiskMarketsCache(config.sqlite_path.parent / "markets_cache")


def make_parts(
    config: Config, store: Store, clock: Clock, stop: StopSignal, progress: RunProgress
) -> RunParts:
    """Everything a run needs. Needs a running event loop."""
    return RunParts(store, make_clients(config), markets_cache(config), clock, progress, stop)


def make_progress(choice: str, console: Console) -> RunProgress:
    """Bars where `choice` is on, or auto on a terminal; log lines for auto elsewhere."""
    if choice == "off":
        return NoProgress()
    return ProgressBars(console) if choice == "on" or console.is_terminal else ProgressLines()


def log_mode(config: Config) -> None:
    """Says which exchanges are used, in the words that users know (rule M1)."""
    exchanges = config.exchanges
    minimum = config.rules.min_exchanges
    if len(exchanges) == 1:
        log.info("Single-exchange mode: using %s", exchanges[0])
        return
    log.info(
        "Multi-exchange mode: using %d exchanges with %s as primary", len(exchanges), exchanges[0]
    )
    if config.is_minimum_detected:
        log.info("Auto-detected min_exchanges_required: %d", minimum)
    else:
        log.info("min_exchanges_required: %d", minimum)
