"""Findings in plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.texts import counted
from candle_ingestor.model.timeframe import HOUR_MS, MINUTES_PER_HOUR
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.moves_apart import WAVERS


def words_of(found: Found) -> str:
    """What was found, beside what is usual, and beyond which threshold."""
    return _WORDS[found.rule](found)


def _outage(found: Found) -> str:
    return _still(found, "It shows no candle for", "Its longest silences usually last", "suspected")


def _flat(found: Found) -> str:
    what = "Its price stands still for"
    return _still(found, what, "The longest of such times usually last", "told")


def _still(found: Found, what: str, usual: str, told: str) -> str:
    return (
        f"{what} {_minutes(found.value)}, while the others traded "
        f"{counted(round(found.figures['candles_of_others']), 'candle')}. {usual} "
        f"{_minutes(found.figures['usual_minutes'])}; {told} from {_minutes(found.threshold)} on."
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
    figures = found.figures
    hours = round(figures["hours_late"])
    when = f"{counted(abs(hours), 'hour')} {'earlier' if hours > 0 else 'later'}"
    now = _bps(found.value)
    if WAVERS in figures:
        then = _bps(figures[WAVERS])
        told = (
            f"Its distance from the others' prices wavers by {now}, and from theirs {when} by "
            f"{then}"
        )
    else:
        then = _bps(figures["distance_then_bps"])
        told = (
            f"Its prices are {now} from those of the others at the same time, and {then} from "
            f"theirs {when}"
        )
    return (
        f"{told}: its candles seem to stand too {'late' if hours > 0 else 'early'}. Told from "
        f"{_bps(found.threshold)} on."
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
    often = "more" if found.value > 0 else "less"
    return (
        f"For {_hours(found)} it trades {_number(found.value)} times {often} often than at this "
        "time of other weeks, beside what the others do. It usually changes by less than "
        f"{_number(found.figures['usual_times'])} times; told from {_number(found.threshold)} "
        "times on."
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
