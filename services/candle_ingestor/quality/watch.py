"""All rules over one market, a window of candles at a time."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import HOUR_MS, Timeframe
from candle_ingestor.quality import price_offset, weekly_pattern
from candle_ingestor.quality.doubled_hours import doubled_hours
from candle_ingestor.quality.findings import Found, joined
from candle_ingestor.quality.flat_feed import flat_feeds
from candle_ingestor.quality.hours import Hours, hour_ms_of, hours_of
from candle_ingestor.quality.one_cause import (
    CAUSES,
    without_consequences,
    without_reflections,
)
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.price_offset import price_offsets
from candle_ingestor.quality.price_spike import price_spikes
from candle_ingestor.quality.shifted_hours import shifted_hours
from candle_ingestor.quality.suspected_outage import suspected_outages
from candle_ingestor.quality.tuning import DEFAULT_TUNING, Tuning
from candle_ingestor.quality.volume_share import volume_shares
from candle_ingestor.quality.weekly_pattern import weekly_patterns

_IN_PANELS = {
    QualityRule.SUSPECTED_OUTAGE: suspected_outages,
    QualityRule.FLAT_FEED: flat_feeds,
    QualityRule.PRICE_SPIKE: price_spikes,
    QualityRule.DOUBLED_HOURS: doubled_hours,
    QualityRule.SHIFTED_HOURS: shifted_hours,
}
_IN_HOURS = {
    QualityRule.PRICE_OFFSET: price_offsets,
    QualityRule.VOLUME_SHARE: volume_shares,
    QualityRule.WEEKLY_PATTERN: weekly_patterns,
}
_APART_MS: Mapping[QualityRule, int] = {
    QualityRule.PRICE_SPIKE: 2 * HOUR_MS,
    QualityRule.PRICE_OFFSET: price_offset.APART_MS,
    QualityRule.WEEKLY_PATTERN: weekly_pattern.APART_MS,
}
"""How far apart findings may lie that are one; an hour where nothing is said."""


class QualityWatch:
    """Looks at the panels of one market in their order.

    What shows within days is found panel by panel; of the rest every hour is remembered as a few
    numbers, and judged at the end.
    """

    def __init__(self, timeframe: Timeframe, tuning: Tuning = DEFAULT_TUNING) -> None:
        self._tuning = tuning
        self._hour_ms = hour_ms_of(timeframe)
        self._found: list[Found] = []
        self._hours: dict[Series, list[pl.DataFrame]] = {}

    def look_at(self, panel: Panel) -> None:
        """Takes the next panel, which goes on at `told_from_ms` where the one before ended."""
        for rule, find in _IN_PANELS.items():
            if self._looks_for(rule):
                self._found += [
                    one
                    for one in find(panel, self._tuning)
                    if one.interval.end_ms > panel.told_from_ms
                ]
        span = Interval(panel.told_from_ms, panel.span.end_ms)
        for series, rows in hours_of(panel, span).items():
            self._hours.setdefault(series, []).append(rows)

    def findings(self) -> list[Found]:
        """All that was found so far, ascending by start."""
        hours = Hours(self._hour_ms, {s: pl.concat(parts) for s, parts in self._hours.items()})
        found = list(self._found)
        for rule, find in _IN_HOURS.items():
            if self._looks_for(rule):
                found += find(hours, self._tuning)
        # Before offsets are joined: one that explains itself may be near one that does not.
        found = without_consequences(found)
        found = [
            one
            for rule in QualityRule
            for one in joined(
                (each for each in found if each.rule is rule), _APART_MS.get(rule, HOUR_MS)
            )
        ]
        if len(self._hours) == 2:
            found = without_reflections(found)
        asked = (one for one in found if one.rule in self._tuning.rules)
        return sorted(asked, key=lambda one: (one.interval, one.series, one.rule))

    def _looks_for(self, rule: QualityRule) -> bool:
        return rule in self._tuning.rules or rule in CAUSES
