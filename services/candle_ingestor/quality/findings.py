"""What a rule found, and how findings of one matter become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import UNITS, QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe


@dataclass(frozen=True)
class Found:
    """What one rule says of one series.

    Attributes:
        interval: the candle lengths it is about.
        value: what was measured, in the rule's unit; what goes up or down has a sign.
        threshold: what the size of `value` reaches, in the same unit.
        figures: further numbers, by name.
    """

    rule: QualityRule
    series: Series
    interval: Interval
    value: float
    threshold: float
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A finding as it is told.

    Attributes:
        exchange, symbol, timeframe: the series it is about.
        interval: the candle lengths it is about.
        value: what was measured; what goes up or down has a sign.
        threshold: what the size of `value` reaches.
        unit: of both.
        figures: further numbers, by name.
        words: the same as sentences.
    """

    rule: QualityRule
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

    The one of the largest value speaks for all of them. Ascending by start.
    """
    last: dict[tuple[QualityRule, Series], Found] = {}
    done: list[Found] = []
    for one in sorted(found, key=_order):
        key = (one.rule, one.series)
        before = last.get(key)
        if before is not None and one.interval.start_ms <= before.interval.end_ms + apart_ms:
            last[key] = _one_of(before, one)
            continue
        if before is not None:
            done.append(before)
        last[key] = one
    return sorted((*done, *last.values()), key=_order)


def _order(found: Found) -> tuple[Interval, Series, QualityRule]:
    return found.interval, found.series, found.rule


def _one_of(before: Found, after: Found) -> Found:
    speaker = before if abs(before.value) >= abs(after.value) else after
    end_ms = max(before.interval.end_ms, after.interval.end_ms)
    whole = Interval(before.interval.start_ms, end_ms)
    value = speaker.value
    if UNITS[before.rule] == "minutes" and after.interval.start_ms <= before.interval.end_ms:
        # One that was seen in parts, a month each.
        value = whole.duration_ms / MINUTE_MS
    return replace(speaker, interval=whole, value=value)
