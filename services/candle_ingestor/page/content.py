"""What a page tells, as values: nothing of stores, flags or HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from candle_ingestor.completeness.runs import INGEST
from candle_ingestor.completeness.series_report import MonthReport
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series


@dataclass(frozen=True)
class PageFile:
    """A published file that fills a gap, and the page where it is to be had."""

    name: str
    page: str


@dataclass(frozen=True)
class PageGap:
    """One wanted interval that is not known.

    Attributes:
        candles: how many candle lengths it has.
        reason, status: as the command gaps tells them.
        since_ms: since when runs tell of it; None where none does.
        command: what to type to fill it; None where nothing fills it.
        files: what to get first; empty for nothing.
        is_fresh: whether it is but the time since the last run, which the next one fetches.
        last_error: why the newest attempt failed; None where that is not known.
    """

    series: Series
    interval: Interval
    candles: int
    reason: str
    status: str
    since_ms: int | None = None
    command: str | None = None
    files: tuple[PageFile, ...] = ()
    last_error: str | None = None
    is_fresh: bool = False


@dataclass(frozen=True)
class PageFinding:
    """A finding of the quality watch. `figures` are its numbers by name."""

    rule: str
    exchange: str
    interval: Interval
    words: str
    figures: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None


@dataclass(frozen=True)
class PageRun:
    """One run. `seconds` is None of one without an end, `error` of one that nothing ended.

    A figure that is not known is None.
    """

    run_id: str
    status: str
    started_ms: int
    seconds: float | None
    requests: int | None
    candles: int | None
    merged_candles: int | None
    gap_candles: int | None
    error: str | None = None
    command: str = INGEST


@dataclass(frozen=True)
class PageSeries:
    """How one series stands, in candle lengths.

    Attributes:
        tier: of the symbol; None without one.
        first_ms, last_ms: open times of the first and last candle length that is known.
        minutes_behind: from the end of what is known to the end of what is wanted.
        digits: decimals of its prices; None where nothing says so.
    """

    series: Series
    first_ms: int | None
    last_ms: int | None
    minutes_behind: int | None
    wanted: int
    covered: int
    candles: int
    no_trade: int
    months: tuple[MonthReport, ...] = ()
    digits: int | None = None
    tier: str | None = None


@dataclass(frozen=True)
class Mark:
    """A minute at which exchanges differ too much (rule M5).

    Attributes:
        kind: `excluded` or `disagreeing`.
        exchange: whose candle was left out; of a disagreement the one with the highest price.
        size_pct: how far the price lies from the median, or the highest above the lowest.
    """

    open_time_ms: int
    kind: str
    exchange: str
    size_pct: float
    words: str


@dataclass(frozen=True)
class Bars:
    """Candles of one length for the chart.

    Attributes:
        length_ms: of a bar.
        spans: the time that the chart shows in this length, on its grid.
        table: by ascending `open_time_ms`, a row where anything was traded: open, high, low, close
            and volume of the head, null where it has none; `spread_bp`, the mean distance between
            the exchanges' closes; and `close.0` and so on, by the order of the sources.
    """

    length_ms: int
    spans: IntervalSet
    table: pl.DataFrame


@dataclass(frozen=True)
class DayFacts:
    """What is known of a series day by day, from the day of `start_ms` on, in candle lengths."""

    series: Series
    start_ms: int
    wanted: Sequence[int]
    covered: Sequence[int]
    candles: Sequence[int]


@dataclass(frozen=True)
class Chart:
    """What the charts of one head are drawn from.

    Attributes:
        shown: from the first to the last minute that is wanted or known of any of the series.
        bars: by length, the finest first.
        days: of the head, then of each source.
        marks: the largest, ascending by time.
        excluded, disagreeing: how many minutes of each kind there are, marked or not.
    """

    shown: Interval
    bars: tuple[Bars, ...]
    days: tuple[DayFacts, ...]
    marks: tuple[Mark, ...] = ()
    excluded: int = 0
    disagreeing: int = 0


@dataclass(frozen=True)
class PageHead:
    """A symbol in one timeframe: its merged series, or that of an exchange which none is made of.

    Attributes:
        sources: the series that it is made from.
        gaps: of the head and its sources, the worst first.
        findings: of the quality watch; None where it has not looked.
    """

    status: PageSeries
    sources: tuple[PageSeries, ...]
    chart: Chart
    gaps: tuple[PageGap, ...] = ()
    findings: tuple[PageFinding, ...] | None = None

    @property
    def name(self) -> str:
        """What the page calls it: the symbol, with whatever else it takes to tell it apart."""
        series = self.status.series
        words = [str(series.symbol)]
        if series.timeframe.minutes != 1:
            words.append(str(series.timeframe))
        if not series.is_merged:
            words.append(series.exchange)
        return " ".join(words)


@dataclass(frozen=True)
class Page:
    """All that one page tells. `store` is what a person calls the store, without secrets."""

    store: str
    now_ms: int
    heads: tuple[PageHead, ...]
    runs: tuple[PageRun, ...] = ()
