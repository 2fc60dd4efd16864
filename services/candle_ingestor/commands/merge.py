"""The command merge: the merged series again, from the stored exchange candles (M9, M10)."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.table import Table

from candle_ingestor.commands.parts import load_symbols
from candle_ingestor.commands.storage import open_store
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.merging import MergeCounts, merge_again
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols.requests import SymbolRequest

log = logging.getLogger(__name__)


def merge(config: Config, clock: Clock, console: Console) -> int:
    """Recomputes the merged series of the configured symbols by the configured rules.

    Returns:
        0.

    Raises:
        ConfigurationError: if the store holds no exchange candles of any of the symbols.
    """
    symbols = load_symbols(config)
    with open_store(config, clock) as opened:
        store = opened.store
        stored = set(store.list_series())
        tickers = [
            ticker
            for request in symbols.requests
            if (ticker := stored_ticker(config, request, stored)) is not None
        ]
        if not tickers:
            raise ConfigurationError(
                f"{store.description} holds no {config.timeframe} candles of these symbols on "
                f"{', '.join(config.exchanges)}; run the command ingest first"
            )
        table = Table("symbol", "exchanges", "changed candles", title="Merged again")
        for ticker in tickers:
            counts = _merge(config, store, ticker)
            names = ", ".join(source.exchange for source in ticker.sources)
            table.add_row(str(ticker.symbol), names, f"{counts.candles:,}")
    console.print(table)
    if config.export_csv:
        console.print("The CSV partitions follow with the next run, or the command export.")
    return 0


def stored_ticker(config: Config, request: SymbolRequest, stored: set[Series]) -> Ticker | None:
    """The ticker of what the store holds of a symbol; None where that is nothing."""
    sources = []
    for exchange in config.exchanges:
        symbol = request.symbol
        stand_ins = [s for quote, s in config.rules.quote_aliases if quote == symbol.quote]
        choices = [symbol, *(symbol.with_quote(stand_in) for stand_in in stand_ins)]
        series = [Series(exchange, choice, config.timeframe) for choice in choices]
        sources += [s for s in series if s in stored][:1]
    merged = Series.merged(request.symbol, config.timeframe)
    return Ticker(request, merged, tuple(sources), {}) if sources else None


def _merge(config: Config, store: Store, ticker: Ticker) -> MergeCounts:
    ledger = Ledger(store, dict.fromkeys(ticker.sources, (ticker.merged,)))
    counts = MergeCounts()
    log.info("Merging %s again", ticker.symbol)
    merge_again(ledger, ticker, config.rules, counts)
    return counts
