"""How each series stands: a line of figures from its record and its counts. No candle is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from candle_ingestor.completeness.figures import share_pct
from candle_ingestor.completeness.runs import INGEST, command_of
from candle_ingestor.completeness.standing import standing_of
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import GapReason, candles_by_reason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.settle.accounting import gaps_of, unsettled, wanted_of

Counts = Mapping[Month, int]


@dataclass(frozen=True)
class LastRun:
    """The newest run that worked on a symbol, and how it ended for that symbol.

    `ticker_status` is None where it came to no end, or has not yet.
    """

    run_id: str
    started_ms: int
    status: str
    ticker_status: str | None


@dataclass(frozen=True)
class SeriesStatus:
    """How one series stands. Numbers of candles are numbers of candle lengths.

    Attributes:
        first_ms, last_ms: open times of the first and the last candle length that is covered; None
            where nothing is.
        minutes_behind: from the end of what is covered to the end of what is wanted.
        wanted: what the last run wanted, up to the present.
        covered: how much of it is covered.
        candles: how many candles are stored of what is covered, wanted or not.
        no_trade: how many covered candle lengths have none.
        months_wanted, months_complete: how many months are touched by what is wanted, and how many
            of these are covered whole and final (rule E3).
        gaps: how much of what is wanted each reason leaves open.
        price_digits, volume_digits: of the last export, else the market's own; None before.
        size_bytes: its share of the store, by its share of all candles; None where the store does
            not tell.
    """

    series: Series
    first_ms: int | None
    last_ms: int | None
    minutes_behind: int | None
    wanted: int
    covered: int
    candles: int
    no_trade: int
    months_wanted: int
    months_complete: int
    gaps: Mapping[GapReason, int]
    price_digits: int | None
    volume_digits: int | None
    size_bytes: int | None
    last_run: LastRun | None

    @property
    def completeness_pct(self) -> float | None:
        """What is covered of what is wanted, in percent; None where nothing is wanted.

        Rounded down to four decimals, so that only all of it is 100.
        """
        return share_pct(self.covered, self.wanted, 4)


@dataclass(frozen=True)
class StatusParts:
    """What a status is told from.

    Attributes:
        counts: candles of what is covered, by series and month, of all series of the store.
        size_bytes: of the store; None where it does not tell.
        runs: the newest run reports, newest first.
    """

    ledger: Ledger
    counts: Mapping[Series, Counts]
    size_bytes: int | None
    runs: Sequence[Mapping[str, Any]]
    now_ms: int
    settle_seconds: float


def statuses_of(parts: StatusParts, shown: Collection[Series]) -> list[SeriesStatus]:
    """The status of each of the series, in their order."""
    total = sum(sum(counts.values()) for counts in parts.counts.values())
    last_runs = last_runs_of(parts.runs)
    found = []
    for series in shown:
        candles = sum(parts.counts.get(series, {}).values())
        size = None
        if parts.size_bytes is not None:
            size = parts.size_bytes * candles // total if total else 0
        found.append(_status(parts, series, candles, size, last_runs.get(_last_run_key(series))))
    return found


def last_runs_of(runs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], LastRun]:
    """By symbol and timeframe, the newest of the runs of ingest that worked on it."""
    found: dict[tuple[str, str], LastRun] = {}
    for run in runs:
        if command_of(run) != INGEST:
            continue
        if not run.get("tickers"):
            unended = LastRun(run["run_id"], run["started_ms"], run["status"], None)
            for symbol in run.get("symbols", ()):
                found.setdefault((symbol, run["timeframe"]), unended)
        tickers = run.get("tickers", ())
        own = [(ticker["symbol"], ticker) for ticker in tickers]
        # What serves in place of a symbol may be a symbol of its own.
        served = [
            (source["symbol"], ticker)
            for ticker in tickers
            for source in ticker.get("exchanges", {}).values()
        ]
        for symbol, ticker in own + served:
            last = LastRun(run["run_id"], run["started_ms"], run["status"], ticker["status"])
            found.setdefault((symbol, run["timeframe"]), last)
    return found


def _last_run_key(series: Series) -> tuple[str, str]:
    return str(series.symbol), str(series.timeframe)


def _status(
    parts: StatusParts, series: Series, candles: int, size_bytes: int | None, run: LastRun | None
) -> SeriesStatus:
    ledger, timeframe = parts.ledger, series.timeframe
    record = ledger.record(series)
    length_ms = timeframe.duration_ms
    wanted = wanted_of(record, timeframe.closed_end_ms(parts.now_ms, parts.settle_seconds))
    covered = record.covered
    within = covered & IntervalSet((wanted,))
    months = months_of(IntervalSet((wanted,)))
    standing = standing_of(record, timeframe, wanted)
    return SeriesStatus(
        series=series,
        first_ms=standing.first_ms,
        last_ms=standing.last_ms,
        minutes_behind=standing.minutes_behind,
        wanted=wanted.duration_ms // length_ms,
        covered=within.duration_ms // length_ms,
        candles=candles,
        no_trade=max(covered.duration_ms // length_ms - candles, 0),
        months_wanted=len(months),
        months_complete=len(complete_months(ledger, series, months, parts.now_ms)),
        gaps=candles_by_reason(gaps_of(ledger, series, wanted), length_ms),
        price_digits=standing.price_digits,
        volume_digits=standing.volume_digits,
        size_bytes=size_bytes,
        last_run=run,
    )


def complete_months(
    ledger: Ledger, series: Series, months: Sequence[Month], now_ms: int
) -> list[Month]:
    """Those of the months that are covered whole, and of which nothing can change (rule E3)."""
    covered = ledger.record(series).covered
    whole = [month for month in months if covered.covers(month.interval)]
    if not whole:
        return []
    still_open = unsettled(ledger, series, IntervalSet(month.interval for month in whole), now_ms)
    return [month for month in whole if not still_open & IntervalSet((month.interval,))]
