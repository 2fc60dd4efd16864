"""Findings that have one cause: only what names it is told."""

from __future__ import annotations

from collections.abc import Sequence

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.moves_apart import WAVERS

CAUSES = (QualityRule.FLAT_FEED, QualityRule.DOUBLED_HOURS, QualityRule.SHIFTED_HOURS)
"""What makes prices of another time, and with them offsets."""
_COMPARES_PRICES = (QualityRule.PRICE_OFFSET, QualityRule.SHIFTED_HOURS)


def without_consequences(found: Sequence[Found]) -> list[Found]:
    """The findings without offsets that last as long as prices of another time, and shifts that
    are repetitions."""
    repeated = _spans(found, (QualityRule.FLAT_FEED, QualityRule.DOUBLED_HOURS))
    # What only wavers need not be off for hours, and an offset that begins wavers once.
    displaced = _spans([one for one in found if WAVERS not in one.figures], CAUSES)
    causes = {QualityRule.PRICE_OFFSET: displaced, QualityRule.SHIFTED_HOURS: repeated}
    return [
        one
        for one in found
        if one.rule not in causes or not _mostly_in(one, causes[one.rule].get(one.series))
    ]


def without_reflections(found: Sequence[Found]) -> list[Found]:
    """The findings of two series that only have each other to be compared with.

    Each is off by what the other is. Told is the one whose own prices jump more where it begins or
    ends.
    """
    return [
        one
        for one in found
        if not any(_is_reflected(one, other) and _is_calmer(one, other) for other in found)
    ]


def _spans(found: Sequence[Found], rules: Sequence[QualityRule]) -> dict[Series, IntervalSet]:
    """What findings of the rules are about, and an hour around it, by series."""
    spans: dict[Series, list[Interval]] = {}
    for one in found:
        if one.rule in rules:
            start_ms, end_ms = one.interval
            wide = Interval(start_ms - HOUR_MS, end_ms + HOUR_MS)
            spans.setdefault(one.series, []).append(wide)
    return {series: IntervalSet(intervals) for series, intervals in spans.items()}


def _mostly_in(one: Found, span: IntervalSet | None) -> bool:
    if span is None:
        return False
    shared = IntervalSet((one.interval,)) & span
    return 2 * shared.duration_ms >= one.interval.duration_ms


def _is_reflected(one: Found, other: Found) -> bool:
    return (
        one.rule in _COMPARES_PRICES
        and one.rule is other.rule
        and one.series != other.series
        and _mostly_in(one, IntervalSet((other.interval,)))
    )


def _is_calmer(one: Found, other: Found) -> bool:
    return (one.figures["jump_bps"], one.series) < (other.figures["jump_bps"], other.series)
