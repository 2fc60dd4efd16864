"""The run report on the screen or in the log, short or full (rule F4)."""

from __future__ import annotations

from itertools import chain

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from candle_ingestor.commands.deviation_words import deviations
from candle_ingestor.commands.report_words import (
    by_reason,
    downloads,
    ending,
    export_left,
    incomplete,
    left_out,
    price_only,
    rule_changes,
    stand_ins,
    trouble_words,
    worst_first,
)
from candle_ingestor.commands.saying import say
from candle_ingestor.ingest.report import RunReport, RunStatus, TickerReport
from candle_ingestor.model.gaps import candles_by_reason

_COLOURS = {
    RunStatus.OK: "green",
    RunStatus.DEGRADED: "yellow",
    RunStatus.STOPPED: "yellow",
    RunStatus.FAILED: "red",
}
_MOST_ERRORS_SHOWN = 10


def print_report(report: RunReport, console: Console, *, is_full: bool = False) -> None:
    """Prints what the run did per exchange, what is missing and why, and how it ended.

    In full also what it did per symbol, and what each exchange lacks of it.
    """
    console.print(_exchanges_table(report))
    if is_full:
        console.print(_symbols_table(report))
    for line in chain(price_only(report), left_out(report)):
        say(console, line)
    for exchange, trouble in report.troubles.items():
        say(console, trouble_words(exchange, trouble), "yellow")
    if is_full:
        for ticker in report.tickers:
            _say_all_of(report, ticker, console)
    else:
        notes = (stand_ins(report), rule_changes(report), deviations(report, report.tickers))
        for line in chain(*notes):
            say(console, line)
        for ticker in worst_first(report):
            if words := incomplete(report, ticker):
                say(console, words, "red" if ticker.errors else "")
    _say_end(report, console)


def _say_end(report: RunReport, console: Console) -> None:
    for line in downloads(report):
        say(console, line)
    say(console, ending(report), _COLOURS[report.status])
    if words := export_left(report):
        say(console, words)


def _exchanges_table(report: RunReport) -> Table:
    title = f"Run report, {report.timeframe} candles"
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("exchange", no_wrap=True)
    for name in ("requests", "candles", "seconds", "retries", "errors"):
        table.add_column(f"  {name}", justify="right", no_wrap=True)
    for exchange in report.exchanges:
        totals = report.totals_of(exchange)
        errors = totals.failed_pages + (exchange in report.unavailable_exchanges)
        table.add_row(
            exchange,
            f"{totals.requests:,}",
            f"{totals.candles:,}",
            f"{totals.seconds:.1f}",
            f"{totals.retries:,}",
            f"{errors:,}",
        )
    return table


def _symbols_table(report: RunReport) -> Table:
    table = Table(title="By symbol", box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("symbol, exchange", no_wrap=True)
    for name in ("requests", "candles", "revised", "rejected", "excluded", "retries", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for ticker in report.tickers:
        merged = ticker.outcome.merged
        table.add_row(f"[bold]{ticker.symbol}[/bold]", "", f"{merged.candles:,}", *[""] * 5)
        for source in ticker.sources:
            counts = source.counts
            table.add_row(
                f"  {source.exchange}",
                f"{counts.requests:,}",
                f"{source.candles:,}",
                f"{source.revised:,}",
                f"{counts.rejected:,}",
                f"{merged.excluded[source.exchange]:,}",
                f"{counts.retries:,}",
                f"{counts.seconds:.1f}",
            )
        table.add_section()
    return table


def _say_all_of(report: RunReport, ticker: TickerReport, console: Console) -> None:
    known, wanted = ticker.outcome.covered_candles, ticker.outcome.wanted_candles
    say(console, f"{ticker.symbol}: {known:,} of {wanted:,} {report.timeframe} intervals known")
    gaps = candles_by_reason(ticker.outcome.gaps, report.duration_ms)
    if gaps:
        say(console, f"  missing: {by_reason(gaps.items())}")
    for source in ticker.sources:
        gaps = candles_by_reason(source.gaps, report.duration_ms)
        if gaps:
            say(console, f"  {source.exchange} lacks: {by_reason(gaps.items())}")
    for exchange, symbol in ticker.stand_ins.items():
        say(console, f"  {exchange} serves {symbol} in place of {ticker.symbol}")
    for change in ticker.outcome.rule_changes:
        say(console, f"  merged by other rules from here on: {change}")
    for line in deviations(report, [ticker]):
        say(console, f"  {line}")
    for error in ticker.errors[:_MOST_ERRORS_SHOWN]:
        say(console, f"  failed: {error}", "red")
    if len(ticker.errors) > _MOST_ERRORS_SHOWN:
        say(console, f"  and {len(ticker.errors) - _MOST_ERRORS_SHOWN} more failures")
