"""The run report as tables on a terminal (rule F4)."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from candle_ingestor.ingest.report import RunReport, RunStatus, TickerReport, candles_by_reason
from candle_ingestor.model.gaps import Gap

_COLOURS = {
    RunStatus.OK: "green",
    RunStatus.DEGRADED: "yellow",
    RunStatus.STOPPED: "yellow",
    RunStatus.FAILED: "red",
}
_MOST_ERRORS_SHOWN = 10


def print_report(report: RunReport, console: Console) -> None:
    """Prints what the run did per symbol and exchange, what is missing and why."""
    console.print(_table(report))
    _print_notes(report, console)
    seconds = (report.finished_ms - report.started_ms) / 1000
    colour = _COLOURS[report.status]
    ended = f"[{colour}]{report.status.value}[/{colour}]"
    stopped = f", stopped by {report.stop_reason}" if report.stop_reason else ""
    failed = len(report.failed_tickers)
    console.print(
        f"Run {ended} in {seconds:.1f} s{stopped}: "
        f"{len(report.tickers) - failed} of {len(report.tickers)} tickers done"
    )


def _table(report: RunReport) -> Table:
    table = Table(
        title=f"Run report, {report.timeframe} candles", box=SIMPLE_HEAD, show_edge=False, padding=0
    )
    table.add_column("symbol, exchange", no_wrap=True)
    for name in ("requests", "candles", "revised", "rejected", "excluded", "retries", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for ticker in report.tickers:
        merged = f"{ticker.outcome.merged.candles:,}"
        table.add_row(f"[bold]{ticker.symbol}[/bold]", "", merged, *[""] * 5)
        for source in ticker.sources:
            counts = source.counts
            table.add_row(
                f"  {source.exchange}",
                f"{counts.requests:,}",
                f"{source.candles:,}",
                f"{source.revised:,}",
                f"{counts.rejected:,}",
                f"{ticker.outcome.merged.excluded.get(source.exchange, 0):,}",
                f"{counts.retries:,}",
                f"{counts.seconds:.1f}",
            )
        table.add_section()
    return table


def _gaps(gaps: list[Gap], report: RunReport) -> str:
    totals = candles_by_reason(gaps, report.duration_ms)
    return ", ".join(f"{reason} {candles:,}" for reason, candles in totals.items())


def _print_notes(report: RunReport, console: Console) -> None:
    for symbol, lacking in report.dropped.items():
        console.print(f"{symbol} was left out: not listed on {', '.join(lacking)}")
    for text in report.rejected_symbols:
        console.print(escape(f"passed over {text}"))
    for exchange, trouble in report.troubles.items():
        pages = f"left {trouble.failed_pages:,} pages unanswered" if trouble.failed_pages else ""
        words = pages or "could not be used"
        console.print(
            escape(f"{exchange} {words}: {trouble.error}"), style="yellow", soft_wrap=True
        )
    for ticker in report.tickers:
        _print_ticker_notes(report, ticker, console)


def _print_ticker_notes(report: RunReport, ticker: TickerReport, console: Console) -> None:
    known, wanted = ticker.outcome.covered_candles, ticker.outcome.wanted_candles
    accounted = f"{known:,} of {wanted:,} {report.timeframe} intervals known"
    disagreed = ticker.outcome.merged.disagreements
    more = f", {disagreed:,} disagreements between two exchanges" if disagreed else ""
    console.print(f"{ticker.symbol}: {accounted}{more}")
    if ticker.outcome.gaps:
        console.print(f"  gaps in candles: {_gaps(ticker.outcome.gaps, report)}", soft_wrap=True)
    for source in ticker.sources:
        if source.gaps:
            gaps = _gaps(source.gaps, report)
            console.print(f"  {source.exchange} lacks: {gaps}", soft_wrap=True)
    for exchange, symbol in ticker.stand_ins.items():
        console.print(f"  {exchange} serves {symbol} in its place")
    for change in ticker.outcome.rule_changes:
        console.print(escape(f"  merged by other rules from here on: {change}"))
    for error in ticker.errors[:_MOST_ERRORS_SHOWN]:
        console.print(escape(f"  failed: {error}"), style="red", soft_wrap=True)
    if len(ticker.errors) > _MOST_ERRORS_SHOWN:
        console.print(f"  and {len(ticker.errors) - _MOST_ERRORS_SHOWN} more failures")
