"""Findings in plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.texts import counted
from candle_ingestor.model.timeframe import HOUR_MS, MINUTES_PER_HOUR
from candle_ingestor.quality.findings import Found


def words_of(found: Found) -> str:
    """What was found, beside what is usual, and beyond which threshold."""
    return _WORDS[found.rule](found)


def _outage(found: Found) -> str:
    return (
        f"It shows no candle for {_minutes(found.value)}, while the others traded "
        f"{counted(round(found.figures['candles_of_others']), 'candle')}. Its longest silences "
        f"usually last {_minutes(found.figures['usual_minutes'])}; suspected from "
        f"{_minutes(found.threshold)} on."
    )


def _flat(found: Found) -> str:
    return (
        f"Its price stands still for {_minutes(found.value)}, while the others traded "
        f"{counted(round(found.figures['candles_of_others']), 'candle')}. The longest of such "
        f"times usually last {_minutes(found.figures['usual_minutes'])}; told from "
        f"{_minutes(found.threshold)} on."
    )


def _spike(found: Found) -> str:
    what = "high is above" if found.value > 0 else "low is below"
    return (
        f"A single bar whose {what} all bars near it, its own and those of the others, by "
        f"{_bps(found.value)}; told from {_bps(found.threshold)} on. Its bars usually span "
        f"{_bps(found.figures['usual_range_bps'])} there."
    )


def _doubled(found: Found) -> str:
    return (
        f"{counted(round(found.value), 'candle')} are the same, price by price and volume by "
        f"volume, as those {_apart(found.figures['minutes_apart'])} earlier; told from "
        f"{found.threshold:g} on."
    )


def _shifted(found: Found) -> str:
    hours = round(found.figures["hours_late"])
    when = f"{counted(abs(hours), 'hour')} {'earlier' if hours > 0 else 'later'}"
    return (
        f"Its prices are {_bps(found.value)} from those of the others at the same time, and "
        f"{_bps(found.figures['distance_then_bps'])} from theirs {when}: its candles seem to stand "
        f"too {'late' if hours > 0 else 'early'}. Told from {_bps(found.threshold)} on."
    )


def _offset(found: Found) -> str:
    side = "above" if found.value > 0 else "below"
    return (
        f"For {_hours(found)} its prices stand {_bps(found.value)} {side} those of the others. "
        f"They usually differ by {_bps(found.figures['usual_distance_bps'])}; told from "
        f"{_bps(found.threshold)} on."
    )


def _volume(found: Found) -> str:
    size = "larger" if found.value > 0 else "smaller"
    return (
        f"For {_hours(found)} its volumes are {_number(found.value)} times {size} than usual, "
        "beside what the others' did: perhaps they count another unit. They usually change by less "
        f"than {_number(found.figures['usual_times'])} times; told from "
        f"{_number(found.threshold)} times on."
    )


def _week(found: Found) -> str:
    much = "more" if found.value > 0 else "fewer"
    return (
        f"For {_hours(found)} it trades in {abs(found.value):.0f} of a hundred candle lengths "
        f"{much} than at this time of other weeks, beside what the others do. Told from "
        f"{found.threshold:.0f} on."
    )


_WORDS: Mapping[QualityRule, Callable[[Found], str]] = {
    QualityRule.SUSPECTED_OUTAGE: _outage,
    QualityRule.FLAT_FEED: _flat,
    QualityRule.PRICE_SPIKE: _spike,
    QualityRule.DOUBLED_HOURS: _doubled,
    QualityRule.SHIFTED_HOURS: _shifted,
    QualityRule.PRICE_OFFSET: _offset,
    QualityRule.VOLUME_SHARE: _volume,
    QualityRule.WEEKLY_PATTERN: _week,
}


def _minutes(value: float) -> str:
    return counted(round(value), "minute")


def _hours(found: Found) -> str:
    return counted(round(found.interval.duration_ms / HOUR_MS), "hour")


def _apart(minutes: float) -> str:
    if minutes % MINUTES_PER_HOUR == 0:
        return counted(round(minutes / MINUTES_PER_HOUR), "hour")
    return _minutes(minutes)


def _bps(value: float) -> str:
    size = abs(value)
    return f"{size / 100:,.1f} %" if size >= 100 else f"{size:.1f} bps"


def _number(value: float) -> str:
    size = abs(value)
    return f"{size:,.0f}" if size >= 10 else f"{size:.1f}"
