"""What a rule found, and how findings of one matter become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe


class Rule(StrEnum):
    """What is looked for; docs/quality.md describes each."""

    SUSPECTED_OUTAGE = "suspected_outage"
    FLAT_FEED = "flat_feed"
    PRICE_SPIKE = "price_spike"
    DOUBLED_HOURS = "doubled_hours"
    SHIFTED_HOURS = "shifted_hours"
    PRICE_OFFSET = "price_offset"
    VOLUME_SHARE = "volume_share"
    WEEKLY_PATTERN = "weekly_pattern"


UNITS: Mapping[Rule, str] = {
    Rule.SUSPECTED_OUTAGE: "minutes",
    Rule.FLAT_FEED: "minutes",
    Rule.PRICE_SPIKE: "bps",
    Rule.DOUBLED_HOURS: "candles",
    Rule.SHIFTED_HOURS: "bps",
    Rule.PRICE_OFFSET: "bps",
    Rule.VOLUME_SHARE: "times",
    Rule.WEEKLY_PATTERN: "points",
}
"""The unit of each rule's value and threshold; a point is one candle length in a hundred."""


@dataclass(frozen=True)
class Found:
    """What one rule says of one series.

    Attributes:
        interval: the candle lengths it is about.
        value: what was measured, in the rule's unit; what goes up or down has a sign.
        threshold: what the size of `value` is above, in the same unit.
        figures: further numbers, by name.
    """

    rule: Rule
    series: Series
    interval: Interval
    value: float
    threshold: float
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A finding as it is told.

    Attributes:
        rule: the name of the rule.
        exchange, symbol, timeframe: the series it is about.
        interval: the candle lengths it is about.
        value: what was measured; what goes up or down has a sign.
        threshold: what the size of `value` is above.
        unit: of both.
        figures: further numbers, by name.
        words: the same as a sentence.
    """

    rule: Rule
    exchange: str
    symbol: Symbol
    timeframe: Timeframe
    interval: Interval
    value: float
    threshold: float
    unit: str
    figures: Mapping[str, float]
    words: str


def joined(found: Iterable[Found], apart_ms: int = 0) -> list[Found]:
    """The findings, those of one rule and series that lie at most `apart_ms` apart made one.

    Rises are not joined with falls. The one of the largest value speaks for all of them. Ascending
    by start.
    """
    last: dict[tuple[Rule, Series, bool], Found] = {}
    done: list[Found] = []
    for one in sorted(found, key=lambda each: (each.interval, each.series, each.rule)):
        key = (one.rule, one.series, one.value < 0)
        before = last.get(key)
        if before is not None and one.interval.start_ms <= before.interval.end_ms + apart_ms:
            last[key] = _one_of(before, one)
            continue
        if before is not None:
            done.append(before)
        last[key] = one
    return sorted((*done, *last.values()), key=lambda each: (each.interval, each.series, each.rule))


def _one_of(before: Found, after: Found) -> Found:
    speaker = before if abs(before.value) >= abs(after.value) else after
    whole = Interval(
        before.interval.start_ms, max(before.interval.end_ms, after.interval.end_ms)
    )
    return replace(speaker, interval=whole)
