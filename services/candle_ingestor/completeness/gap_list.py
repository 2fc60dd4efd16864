"""Every wanted and uncovered interval: its reason, its past and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from candle_ingestor.completeness.freshness import is_fresh
from candle_ingestor.completeness.gap_past import GapPast, filled_gaps, pasts_of
from candle_ingestor.completeness.remedies import NO_REMEDY, Remedies, Remedy
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import FINAL_REASONS, Gap, GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.settle.accounting import gaps_of, wanted_of


class GapStatus(StrEnum):
    """How a gap stands; `filling` while a run works that may fill it."""

    OPEN = "open"
    FILLING = "filling"
    FILLED = "filled"
    PERMANENT = "permanent"


_WORST_FIRST = (GapStatus.OPEN, GapStatus.FILLING, GapStatus.PERMANENT, GapStatus.FILLED)
_RANK: dict[str, int] = {status: place for place, status in enumerate(_WORST_FIRST)}


class ListedGap(NamedTuple):
    """One gap. `candles` is how many candle lengths it has."""

    series: Series
    gap: Gap
    status: GapStatus
    past: GapPast
    remedy: Remedy
    candles: int


@dataclass(frozen=True)
class MonthShare:
    """How much of what is wanted of a month is covered, in candle lengths.

    `not_listed_yet` is how much of it is time before the market, which nobody can know, `fresh` how
    much passed since the last run and is fetched by the next.
    """

    month: Month
    wanted: int
    covered: int
    not_listed_yet: int = 0
    fresh: int = 0

    @property
    def due(self) -> int:
        """How much of it could be known by now."""
        return self.wanted - self.not_listed_yet - self.fresh


@dataclass(frozen=True)
class SeriesGaps:
    """The gaps of one series, and its months."""

    series: Series
    gaps: list[ListedGap]
    months: list[MonthShare]


def series_gaps(
    ledger: Ledger,
    shown: Collection[Series],
    now_ms: int,
    settle_seconds: float,
    *,
    filling: Collection[Series],
    place: Sequence[str] = (),
) -> list[SeriesGaps]:
    """The gaps of each of the series, also former ones that are filled.

    `place` are the flags that name the store in the commands of remedies.
    """
    found = []
    for series in shown:
        record = ledger.record(series)
        closed_end_ms = series.timeframe.closed_end_ms(now_ms, settle_seconds)
        wanted = wanted_of(record, closed_end_ms)
        gaps = gaps_of(ledger, series, wanted)
        remedies = Remedies(ledger, series, place)
        remedied = [(gap, remedies.of(gap)) for gap in gaps]
        listed = listed_gaps(series, record, remedied, filling=filling)
        shares = month_shares(series, wanted, record.covered, gaps, closed_end_ms)
        found.append(SeriesGaps(series, listed, shares))
    return found


def listed_gaps(
    series: Series,
    record: SeriesRecord,
    remedied: Sequence[tuple[Gap, Remedy]],
    *,
    filling: Collection[Series],
) -> list[ListedGap]:
    """The gaps of a series, which ascend, each with its remedy, and then its former ones."""
    length_ms = series.timeframe.duration_ms
    gaps = [gap for gap, _ in remedied]
    listed = []
    for (gap, remedy), past in zip(remedied, pasts_of(gaps, record.gap_notes), strict=True):
        status = _status(gap, remedy, is_filling=series in filling)
        candles = gap.interval.duration_ms // length_ms
        listed.append(ListedGap(series, gap, status, past, remedy, candles))
    for gap, past in filled_gaps(record.gap_notes, record.covered):
        candles = gap.interval.duration_ms // length_ms
        listed.append(ListedGap(series, gap, GapStatus.FILLED, past, NO_REMEDY, candles))
    return listed


def worst_first(all_gaps: Collection[SeriesGaps]) -> list[ListedGap]:
    """All gaps: open ones first, and of each status the longest first; else in their order."""
    return sorted((listed for each in all_gaps for listed in each.gaps), key=urgency)


def urgency(listed: ListedGap) -> tuple[int, int]:
    """What gaps are sorted by, the worst first: their status, and of each status the length."""
    return rank(listed.status, listed.candles)


def rank(status: str, candles: int) -> tuple[int, int]:
    """As `urgency`, of a gap of that status and so many candle lengths."""
    return _RANK.get(status, 0), -candles


def month_shares(
    series: Series,
    wanted: Interval,
    covered: IntervalSet,
    gaps: Sequence[Gap],
    closed_end_ms: int,
) -> list[MonthShare]:
    """Each month that is touched by what is wanted, ascending; `gaps` are all in it, ascending.

    `closed_end_ms` is where the newest closed candle ends.
    """
    everything = IntervalSet((wanted,))
    unlisted = IntervalSet(g.interval for g in gaps if g.reason is GapReason.NOT_LISTED_YET)
    length_ms = series.timeframe.duration_ms
    fresh = IntervalSet(
        gap.interval for gap in gaps[-1:] if is_fresh(gap, closed_end_ms, length_ms)
    )
    shares = []
    for month in months_of(everything):
        part = everything & IntervalSet((month.interval,))
        candles = [
            intervals.duration_ms // length_ms
            for intervals in (part, part & covered, part & unlisted, part & fresh)
        ]
        shares.append(MonthShare(month, *candles))
    return shares


def _status(gap: Gap, remedy: Remedy, *, is_filling: bool) -> GapStatus:
    if not remedy.exists:
        return GapStatus.PERMANENT
    if is_filling and gap.reason not in (*FINAL_REASONS, GapReason.BELOW_MINIMUM):
        return GapStatus.FILLING
    return GapStatus.OPEN
