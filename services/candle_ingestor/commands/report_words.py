"""The run report in sentences, a line each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from candle_ingestor.archives.publications import Publication
from candle_ingestor.exchanges.price_only import price_only_of
from candle_ingestor.ingest.report import ExchangeTrouble, RunReport, RunStatus, TickerReport
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.texts import counted, share, some_of
from candle_ingestor.model.times import iso_text, minute_text
from candle_ingestor.operations.stopping import TIME_LIMIT


def ending(report: RunReport) -> str:
    """How the run ended; where it ended early also how far it came, and how it goes on."""
    seconds = f"{(report.finished_ms - report.started_ms) / 1000:.1f} s"
    complete = f"{len(report.complete_tickers):,} of {report.symbols_wanted:,} complete"
    if not report.is_unfinished:
        return f"Run {report.status.value} in {seconds}: {complete}"
    known, wanted = report.known_and_wanted
    far = ""
    if wanted:
        intervals = f"{known:,} of {wanted:,} {report.timeframe} intervals on all exchanges"
        far = f", {share(known, wanted)} of everything wanted is known ({intervals})"
    return (
        f"Run {_end(report)} after {seconds}: {complete}{far}. The same command goes on from there."
    )


def export_left(report: RunReport) -> str | None:
    """What to do for the CSV that a run which ended early left; None where it left none."""
    lacking = sum(report.lacks_export(ticker) for ticker in report.tickers)
    if not lacking or not report.is_unfinished:
        return None
    what = f"The CSV of {lacking:,} of {len(report.tickers):,} symbols was not written"
    if lacking == len(report.tickers):
        what = "No CSV was written"
    return (
        f"{what}: run the same command again, or the command export with the same flags to write "
        "what is stored by now."
    )


def left_out(report: RunReport) -> Iterator[str]:
    """The symbols that the run did not work on."""
    dropped = [f"{s} (not listed on {', '.join(e)})" for s, e in report.dropped.items()]
    if dropped:
        yield f"{counted(len(dropped), 'symbol')} left out: {some_of(dropped)}"
    rejected = report.rejected_symbols
    if rejected:
        yield f"{counted(len(rejected), 'symbol')} passed over: {some_of(rejected)}"


def trouble_words(exchange: str, trouble: ExchangeTrouble) -> str:
    """What an exchange left unanswered, and why."""
    words = "could not be used"
    if trouble.failed_pages:
        words = f"left {counted(trouble.failed_pages, 'page')} unanswered"
    return f"{exchange} {words}: {trouble.error}"


def price_only(report: RunReport) -> Iterator[str]:
    """Which exchanges have less than candles, a line each."""
    for exchange in price_only_of(report.exchanges):
        yield f"{exchange} has closing prices only: open, high and low are the close, volume is 0"


def stand_ins(report: RunReport) -> Iterator[str]:
    """What serves in place of the symbols asked for (rule M7), a line an exchange."""
    for exchange in report.exchanges:
        serving = [t for t in report.tickers if exchange in t.stand_ins]
        words = [f"{t.stand_ins[exchange]} in place of {t.symbol}" for t in serving]
        if words:
            yield f"{exchange} serves {some_of(words)}"


def rule_changes(report: RunReport) -> Iterator[str]:
    """Which symbols are merged by other rules than before (rule M10), a line a change."""
    symbols: dict[str, list[str]] = {}
    for ticker in report.tickers:
        if ticker.outcome.rule_changes:
            symbols.setdefault("; ".join(ticker.outcome.rule_changes), []).append(ticker.symbol)
    for change, changed in symbols.items():
        yield f"merged by other rules from here on: {change} ({some_of(changed)})"


def incomplete(report: RunReport, ticker: TickerReport) -> str | None:
    """What of a ticker failed and what is missing; None where nothing is."""
    words = []
    if ticker.errors:
        more = len(ticker.errors) - 1
        words.append(f"failed: {ticker.errors[0]}" + (f" (and {more:,} more)" if more else ""))
    missing = report.missing(ticker)
    if missing:
        wanted = ticker.outcome.covered_candles + sum(missing.values())
        words.append(
            f"{sum(missing.values()):,} of {wanted:,} {report.timeframe} intervals missing, "
            f"the first at {_first_missing(ticker)}: {by_reason(missing.items())}"
        )
    return f"{ticker.symbol} {'; '.join(words)}" if words else None


def downloads(report: RunReport) -> Iterator[str]:
    """Which published files have what is beyond reach, a line an exchange."""
    by_exchange: dict[str, list[Publication]] = {}
    for each in report.downloads:
        by_exchange.setdefault(each.series.exchange, []).append(each)
    for exchange, needed in by_exchange.items():
        candles = sum(each.candles for each in needed)
        symbols = len({each.series.symbol for each in needed})
        yield (
            f"{exchange} no longer answers for {candles:,} {report.timeframe} intervals of "
            f"{counted(symbols, 'symbol')}. {'. '.join(_where_from(needed, report.finished_ms))}. "
            "--download_list_path lists them"
        )


def _where_from(needed: Sequence[Publication], now_ms: int) -> Iterator[str]:
    there = [each for each in needed if each.published_from_ms <= now_ms]
    later = [each for each in needed if each.published_from_ms > now_ms]
    if there:
        yield (
            f"Its history files have them: {some_of([each.words for each in there])}; get them "
            f"from {there[0].page} and run the command import"
        )
    if later:
        end = iso_text(max(each.published_from_ms for each in later))[:10]
        named = some_of([each.words for each in later])
        verb = "is" if len(later) == 1 else "are"
        yield f"{named} {verb} not published before {end}, at {later[0].page}"


def worst_first(report: RunReport) -> list[TickerReport]:
    """The failed tickers, then the others, those that lack most before those that lack less."""

    def rank(ticker: TickerReport) -> tuple[bool, int, str]:
        return not ticker.errors, -sum(report.missing(ticker).values()), ticker.symbol

    return sorted(report.tickers, key=rank)


def by_reason(totals: Iterable[tuple[str, int]]) -> str:
    """Candle lengths by reason, the most first."""
    by_size = sorted(totals, key=lambda pair: -pair[1])
    return ", ".join(f"{reason} {candles:,}" for reason, candles in by_size)


def _end(report: RunReport) -> str:
    reason = "its time limit" if report.stop_reason == TIME_LIMIT else report.stop_reason
    if report.status is RunStatus.STOPPED:
        return f"stopped by {reason}"
    return f"failed, stopped by {reason}," if reason else "failed"


def _first_missing(ticker: TickerReport) -> str:
    gaps = (gap for gap in ticker.outcome.gaps if gap.reason is not GapReason.NOT_LISTED_YET)
    return minute_text(next(gaps).interval.start_ms)
