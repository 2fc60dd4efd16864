"""What an answer vouches for (rule C2). Pure.

An answer is a list of candles, and silence about the rest of its range. The silence becomes
coverage - known to have had no trade - so it is believed only as far as the answer proves that the
exchange was heard rightly: by the known candle that it was asked to repeat, or by giving the same
answer again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import polars as pl

from candle_ingestor.ingest.sift import SiftedRows
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe

MOST_ASKS = 4
"""How often one page is asked before it is given up."""


@dataclass(frozen=True)
class PageAsk:
    """One request for candles.

    Attributes:
        start_ms: the first open time asked for: that of the known candle where there is one.
        page_end_ms: the end of what a page of this size can hold.
        wanted: what the answer is for; the overlap lies before it.
        overlap_ms: the open time of a candle that the exchange has shown before.
    """

    start_ms: int
    page_end_ms: int
    wanted: Interval
    overlap_ms: int | None

    @property
    def end_ms(self) -> int:
        """The end of what the answer can settle."""
        return min(self.page_end_ms, self.wanted.end_ms)


@dataclass(frozen=True)
class Reach:
    """How far back the exchange answers.

    Attributes:
        start_ms: where its answers begin; None without a limit, or where that is not known.
        is_known: False for an exchange nobody has described: silence is then believed only after
            a candle that it has shown.
        shown_from_ms: the oldest open time that it has shown in this run, if any.
    """

    start_ms: int | None
    is_known: bool
    shown_from_ms: int | None = None


class Doubt(Enum):
    """Why an answer is not believed at its first hearing."""

    LACKS_OVERLAP = "lacks a candle shown before"
    STARTS_LATE = "starts later than a page after the time asked for"
    EMPTY = "is empty"
    EMPTY_BUT_HAD_CANDLE = "is empty, although a candle was shown there before"
    HAS_REJECTED_ROWS = "has rows that are no candles"


SAME_ANSWERS_NEEDED: Mapping[Doubt, int | None] = {
    Doubt.LACKS_OVERLAP: 2,
    Doubt.STARTS_LATE: 2,
    Doubt.EMPTY: 3,
    Doubt.EMPTY_BUT_HAD_CANDLE: None,
    Doubt.HAS_REJECTED_ROWS: MOST_ASKS,
}
"""How many answers in a row must say the same; None where repetition proves nothing."""


@dataclass(frozen=True)
class Judgement:
    """What an answer says, if it is believed.

    Attributes:
        candles: closed candles from `ask.start_ms` on, within what is wanted.
        answered: the coverage that the answer proves, the overlap included.
        rejected: what it leaves open because of rejected rows.
        beyond_reach: what the exchange no longer answers.
        next_ms: where the next page starts: later than this one wanted, or at the same time with
            a later candle to repeat.
        doubt: why it needs confirmation, if it does.
    """

    candles: pl.DataFrame
    answered: IntervalSet
    rejected: IntervalSet
    beyond_reach: IntervalSet
    next_ms: int
    doubt: Doubt | None


def judge(ask: PageAsk, rows: SiftedRows, timeframe: Timeframe, reach: Reach) -> Judgement:
    """What the answer `rows` to `ask` says. `reach` is as of after the answer."""
    length_ms = timeframe.duration_ms
    shown = rows.candles.slice(bisect_left(rows.candles["open_time_ms"], ask.start_ms))
    open_times = shown["open_time_ms"]
    first_ms = _first(open_times)
    last_ms = _last(open_times)
    has_overlap = first_ms is not None and first_ms == ask.overlap_ms
    is_new = last_ms is not None and last_ms != ask.overlap_ms

    # After its last candle an answer settles nothing: it may be a short one. The next page starts
    # at that candle, and settles it.
    end_ms = ask.end_ms if last_ms is None or not is_new else min(last_ms + length_ms, ask.end_ms)
    if first_ms is not None:
        end_ms = max(end_ms, min(first_ms, ask.wanted.end_ms))
    start_ms = ask.start_ms
    if reach.start_ms is not None and reach.start_ms > start_ms:
        start_ms = min(reach.start_ms, end_ms if first_ms is None else first_ms)
    doubt = _doubt(ask, first_ms, has_overlap, rows)
    if first_ms is not None and _is_cut_at_its_head(ask, doubt, shown.height, length_ms, reach):
        start_ms = max(start_ms, min(first_ms, end_ms))
    if not reach.is_known:
        shown_from = [time for time in (reach.shown_from_ms, first_ms) if time is not None]
        start_ms = max(start_ms, min([*shown_from, end_ms]))
    start_ms = min(start_ms, end_ms)

    candles = shown.slice(0, bisect_left(open_times, end_ms))
    span = IntervalSet.of(start_ms, end_ms)
    rejected = rows.rejected_minutes & span
    is_heard = doubt is not Doubt.HAS_REJECTED_ROWS or _is_heard(ask, first_ms, has_overlap, rows)
    if rows.has_unplaceable or not is_heard:
        rejected = span - _lengths_of(candles["open_time_ms"], length_ms)
    return Judgement(
        candles=candles,
        answered=span - rejected,
        rejected=rejected - IntervalSet.of(ask.start_ms, ask.wanted.start_ms),
        beyond_reach=IntervalSet.of(ask.wanted.start_ms, start_ms),
        next_ms=max(end_ms, ask.wanted.start_ms),
        doubt=doubt,
    )


def _is_heard(ask: PageAsk, first_ms: int | None, has_overlap: bool, rows: SiftedRows) -> bool:
    """Whether an answer with rejected rows shows at least what it must."""
    if ask.overlap_ms is None:
        return first_ms is not None
    return has_overlap or rows.rejected_minutes.contains(ask.overlap_ms)


def _doubt(ask: PageAsk, first_ms: int | None, has_overlap: bool, rows: SiftedRows) -> Doubt | None:
    if rows.has_unplaceable or rows.rejected_minutes & IntervalSet.of(ask.start_ms, ask.end_ms):
        return Doubt.HAS_REJECTED_ROWS
    if first_ms is None:
        return Doubt.EMPTY if ask.overlap_ms is None else Doubt.EMPTY_BUT_HAD_CANDLE
    if ask.overlap_ms is not None and not has_overlap:
        return Doubt.LACKS_OVERLAP
    if ask.overlap_ms is None and first_ms >= ask.page_end_ms:
        return Doubt.STARTS_LATE
    return None


def _is_cut_at_its_head(
    ask: PageAsk, doubt: Doubt | None, rows: int, length_ms: int, reach: Reach
) -> bool:
    if doubt is Doubt.LACKS_OVERLAP:
        return rows * length_ms >= ask.page_end_ms - ask.start_ms or not reach.is_known
    return doubt is Doubt.STARTS_LATE and not reach.is_known


def _first(times: pl.Series) -> int | None:
    return None if times.is_empty() else int(times[0])


def _last(times: pl.Series) -> int | None:
    return None if times.is_empty() else int(times[-1])


def _lengths_of(open_times: pl.Series, length_ms: int) -> IntervalSet:
    if open_times.is_empty():
        return EMPTY
    return IntervalSet((time, time + length_ms) for time in open_times.to_list())
