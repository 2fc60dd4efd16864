"""The rules that candles are watched by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class QualityRule(StrEnum):
    """What is looked for in stored candles; docs/quality.md describes each."""

    SUSPECTED_OUTAGE = "suspected_outage"
    FLAT_FEED = "flat_feed"
    PRICE_SPIKE = "price_spike"
    DOUBLED_HOURS = "doubled_hours"
    SHIFTED_HOURS = "shifted_hours"
    PRICE_OFFSET = "price_offset"
    VOLUME_SHARE = "volume_share"
    WEEKLY_PATTERN = "weekly_pattern"


UNITS: Mapping[QualityRule, str] = {
    QualityRule.SUSPECTED_OUTAGE: "minutes",
    QualityRule.FLAT_FEED: "minutes",
    QualityRule.PRICE_SPIKE: "bps",
    QualityRule.DOUBLED_HOURS: "candles",
    QualityRule.SHIFTED_HOURS: "bps",
    QualityRule.PRICE_OFFSET: "bps",
    QualityRule.VOLUME_SHARE: "times",
    QualityRule.WEEKLY_PATTERN: "times",
}
"""The unit of each rule's value and threshold."""
