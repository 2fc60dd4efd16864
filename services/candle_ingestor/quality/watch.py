"""All rules over one market, a window of candles at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality import price_offset, weekly_pattern
from candle_ingestor.quality.doubled_hours import doubled_hours
from candle_ingestor.quality.findings import Found, Rule, joined
from candle_ingestor.quality.flat_feed import flat_feeds
from candle_ingestor.quality.hours import Hours, hours_of
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.price_offset import price_offsets
from candle_ingestor.quality.price_spike import price_spikes
from candle_ingestor.quality.shifted_hours import shifted_hours
from candle_ingestor.quality.suspected_outage import suspected_outages
from candle_ingestor.quality.tuning import Tuning
from candle_ingestor.quality.volume_share import volume_shares
from candle_ingestor.quality.weekly_pattern import weekly_patterns

_BY_MINUTE = {
    Rule.SUSPECTED_OUTAGE: suspected_outages,
    Rule.FLAT_FEED: flat_feeds,
    Rule.PRICE_SPIKE: price_spikes,
    Rule.DOUBLED_HOURS: doubled_hours,
    Rule.SHIFTED_HOURS: shifted_hours,
}
_BY_HOUR = {
    Rule.PRICE_OFFSET: price_offsets,
    Rule.VOLUME_SHARE: volume_shares,
    Rule.WEEKLY_PATTERN: weekly_patterns,
}
_APART_MS = {
    Rule.SUSPECTED_OUTAGE: HOUR_MS,
    Rule.FLAT_FEED: HOUR_MS,
    Rule.PRICE_SPIKE: HOUR_MS,
    Rule.SHIFTED_HOURS: HOUR_MS,
    Rule.PRICE_OFFSET: price_offset.APART_MS,
    Rule.WEEKLY_PATTERN: weekly_pattern.APART_MS,
    Rule.VOLUME_SHARE: HOUR_MS,
}


class QualityWatch:
    """Looks at the windows of one market in their order; what takes weeks is told at the end."""

    def __init__(self, tuning: Tuning, hour_ms: int) -> None:
        self._tuning = tuning
        self._hour_ms = hour_ms
        self._found: list[Found] = []
        self._hours: dict[Series, list[pl.DataFrame]] = {}

    def look_at(self, panel: Panel) -> None:
        for rule, look in _BY_MINUTE.items():
            if rule in self._tuning.rules:
                self._found += [
                    one
                    for one in look(panel, self._tuning)
                    if one.interval.end_ms > panel.told_from_ms
                ]
        for series, frame in hours_of(panel, Interval(panel.told_from_ms, panel.span.end_ms)).items():
            self._hours.setdefault(series, []).append(frame)

    def findings(self) -> list[Found]:
        hours = Hours(self._hour_ms, {s: pl.concat(f) for s, f in self._hours.items()})
        found = list(self._found)
        for rule, look in _BY_HOUR.items():
            if rule in self._tuning.rules:
                found += look(hours, self._tuning)
        one = [
            each
            for rule in Rule
            for each in joined((f for f in found if f.rule is rule), _APART_MS.get(rule, 0))
        ]
        return one
