"""What a run would ask for, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from candle_ingestor.commands.saying import say
from candle_ingestor.ingest.plan import estimated_requests
from candle_ingestor.ingest.preparing import RunTicker
from candle_ingestor.ingest.sources.base import CandleSource
from candle_ingestor.ingest.sources.trades_source import TradesEstimate
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted

_HEADS = ("symbol", "exchange", "from", "missing candles", "requests", "seconds")


def print_plan(
    tickers: Sequence[RunTicker],
    works: Mapping[Series, SeriesWork],
    estimates: Mapping[Series, TradesEstimate],
    most_tickers: int,
    console: Console,
) -> None:
    """Prints a line for each source of each series, of the first tickers, and how long all take."""
    table = Table(*_HEADS, title="Plan")
    seconds_by_exchange: dict[str, float] = {}
    for number, each in enumerate(tickers):
        for series in each.asked:
            for source, intervals in works[series].routes:
                requests, seconds = _cost(source, intervals, series, estimates.get(series))
                total = seconds_by_exchange.get(series.exchange, 0.0) + seconds
                seconds_by_exchange[series.exchange] = total
                if number < most_tickers:
                    table.add_row(
                        str(each.ticker.symbol),
                        series.exchange,
                        source.origin.replace("_", " "),
                        f"{works[series].candles_in(intervals):,}",
                        f"{requests:,}",
                        f"{seconds:,.1f}",
                    )
    console.print(table)
    longest = max(seconds_by_exchange.values(), default=0.0)
    symbols = counted(len(tickers), "symbol")
    say(console, f"A run of {symbols} would take about {longest:,.0f} s at the exchanges' pace.")


def _cost(
    source: CandleSource, intervals: IntervalSet, series: Series, estimate: TradesEstimate | None
) -> tuple[int, float]:
    """Requests and seconds."""
    if source.origin is Origin.TRADES and estimate is not None:
        return estimate.requests, estimate.seconds
    if not source.is_paced:
        return 0, 0.0
    requests = estimated_requests(intervals, series.timeframe, source.page_candles)
    return requests, requests * source.seconds_per_request()
