"""Measures exporting five new minutes late in a month.

The figure is the CPU time a series; the exit code is 1 when the bound is missed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from measuring import Cost, at_most, best_of_each, cost_of
from simulated import DAY_MS, MINUTE_MS
from stored_candles import candles_of, fill, minutes_of

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.settling import SettleRules, Settling
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store
from candle_ingestor.stores.sqlite.store import SqliteStore

EXCHANGES = ("binanceus", "bitstamp")
START_MS = 1_677_628_800_000  # 2023-03-01
LATE_MS = START_MS + 28 * DAY_MS
SYMBOLS = 20
ROUNDS = 10

MOST_MS_A_SERIES = 15.0


def main() -> int:
    symbols = [f"C{number:02}/USD" for number in range(SYMBOLS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "candles.sqlite")) as store,
    ):
        for symbol in symbols:
            for seed, exchange in enumerate(EXCHANGES):
                fill(store, minutes_of(exchange, symbol), START_MS, LATE_MS, seed)
        export = exports(store, symbols, Path(folder) / "csv")
        export()
        (cost,) = best_of_each([export], ROUNDS)
    milliseconds = 1000 * cost.cpu_seconds / SYMBOLS
    print(f"{milliseconds:.1f} ms of CPU, {1000 * cost.seconds / SYMBOLS:.1f} ms in all")
    name = "exporting five new minutes late in a month, ms of CPU a series"
    return 0 if at_most(name, milliseconds, MOST_MS_A_SERIES) else 1


def exports(store: Store, symbols: list[str], data_root: Path) -> Callable[[], Cost]:
    """Adds five minutes to all series, merges them, and tells what their export costs.

    Each time over a ledger of its own, as in a run. The first time everything is exported.
    """
    tickers = [ticker_of(symbol) for symbol in symbols]
    ends = iter(range(LATE_MS, LATE_MS + DAY_MS, 5 * MINUTE_MS))

    def export_next() -> Cost:
        start_ms = next(ends)
        end_ms = start_ms + 5 * MINUTE_MS
        ledger = Ledger(store)
        rules = SettleRules(end_ms, "benchmark", exports=exports_to(data_root))
        outcomes = {ticker: TickerOutcome(str(ticker.symbol)) for ticker in tickers}
        settling = Settling(ledger, rules, outcomes)
        settling.adopt({})
        sources = [source for ticker in tickers for source in ticker.sources]
        merged = [ticker.merged for ticker in tickers]
        ledger.take_newest({*sources, *merged}, start_ms - 5 * MINUTE_MS)
        ledger.replace([five_minutes(source, start_ms, end_ms) for source in sources])
        settling.merge()
        cost = cost_of(settling.export)
        failed = [outcome for outcome in outcomes.values() if outcome.errors]
        if failed or not all(outcome.files_written for outcome in outcomes.values()):
            sys.exit(f"not exported: {failed}")
        return cost

    return export_next


def exports_to(data_root: Path) -> ExportConfig:
    return ExportConfig(
        csv=True,
        data_root=data_root,
        exchange_candles=False,
        price_decimal_digits=2,
        volume_decimal_digits=8,
        restate=False,
    )


def ticker_of(symbol: str) -> Ticker:
    sources = tuple(minutes_of(exchange, symbol) for exchange in EXCHANGES)
    merged = Series.merged(sources[0].symbol, sources[0].timeframe)
    rules = MergeRules(exchanges=EXCHANGES, min_exchanges=2)
    return Ticker(merged, MergeBasis(rules, sources))


def five_minutes(series: Series, start_ms: int, end_ms: int) -> Replacement:
    span = IntervalSet.of(start_ms, end_ms)
    seed = EXCHANGES.index(series.exchange)
    return Replacement(series, span, candles_of(start_ms, end_ms, seed), span)


if __name__ == "__main__":
    sys.exit(main())
