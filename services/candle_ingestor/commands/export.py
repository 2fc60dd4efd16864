"""The command export: the CSV partitions again, from the store."""

from __future__ import annotations

from rich.console import Console

from candle_ingestor.commands.merge import stored_ticker
from candle_ingestor.commands.parts import load_symbols
from candle_ingestor.commands.storage import open_store
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ingest.exporting import Exporter
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.report import TickerReport
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.writable import require_writable

SOME_TICKERS_FAILED = 1


def export(config: Config, clock: Clock, console: Console) -> int:
    """Writes every month that the store has of the configured symbols and that is not right.

    Returns:
        0, or 1 if a series could not be exported.

    Raises:
        ConfigurationError: if the store holds nothing of the symbols.
    """
    require_writable("--data_root", config.data_root)
    symbols = load_symbols(config)
    has_failed = False
    with open_store(config, clock) as opened:
        store = opened.store
        stored = set(store.list_series())
        tickers = [stored_ticker(config, request, stored) for request in symbols.requests]
        if not any(tickers):
            raise ConfigurationError(
                f"{store.description} holds no {config.timeframe} candles of these symbols on "
                f"{', '.join(config.exchanges)}; run the command ingest first"
            )
        for ticker in tickers:
            if ticker is None:
                continue
            ledger = Ledger(store, dict.fromkeys(ticker.sources, (ticker.merged,)))
            report = TickerReport(str(ticker.symbol), [], {})
            exporter = Exporter(config, ledger, clock.now_ms())
            exporter.export(ticker, report, everything=True)
            has_failed = has_failed or bool(report.errors)
            written = len(report.files_written)
            console.print(f"{ticker.symbol}: {written} files written below {config.data_root}")
            for error in report.errors:
                console.print(f"{ticker.symbol}: {error}", style="red", markup=False)
    return SOME_TICKERS_FAILED if has_failed else 0
