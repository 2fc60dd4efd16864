"""An exchange whose volumes are a multiple or a fraction of what they were: of another unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log
from typing import NamedTuple

import polars as pl

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.hours import VOLUME_COLUMNS, Hours, usual_before
from candle_ingestor.quality.robust import least_of, median_of, middle_of, runs_of, smallest_change
from candle_ingestor.quality.tuning import Tuning

_NEARLY_ALL = 0.8
_MOST_LOG = 40.0
_DAYS_AROUND = 3
_HOURS_TOGETHER = 3


class _Least(NamedTuple):
    """What has to be reached: so many times, so many times what is usual, for so many hours."""

    times: float
    times_usual: float
    hours: int


_BESIDE_WEEKS_BEFORE = _Least(20.0, 4.0, 2)
_BESIDE_DAYS_AROUND = _Least(7.0, 4.0, 3)


def volume_shares(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Hours in a row with another typical volume, beside its own usual one and that of the others.

    The value is how many times larger, and negative how many times smaller, its volume is than what
    it usually is, after what the others did meanwhile is taken out. Usual is what it was in the
    weeks before, or in the days before and after: a market that grows for days does not hide a unit
    that is wrong for hours.
    """
    before = _beside_others(hours, lambda volumes: volumes - usual_before(volumes, hours.a_day))
    around = _beside_others(hours, lambda volumes: _from_days_around(volumes, hours.a_day))
    for series in hours.sides:
        yield from _found(hours, series, before[series], _BESIDE_WEEKS_BEFORE, tuning)
        if hours.a_day > 1:
            yield from _found(hours, series, around[series], _BESIDE_DAYS_AROUND, tuning)


def _from_days_around(volumes: pl.Series, a_day: int) -> pl.Series:
    usual = volumes.rolling_median(_DAYS_AROUND * a_day, min_samples=a_day, center=True)
    return (volumes - usual).rolling_median(_HOURS_TOGETHER, min_samples=2, center=True)


def _beside_others(
    hours: Hours, change_of: Callable[[pl.Series], pl.Series]
) -> dict[Series, pl.Series]:
    """By series the change that small, middling and large volumes have in common.

    Beside their own usual and beside that of the others, as a logarithm.
    """
    changes = [
        {series: change_of(side[name]) for series, side in hours.sides.items()}
        for name in VOLUME_COLUMNS
    ]
    found = {}
    for series in hours.sides:
        beside = []
        for changed in changes:
            own = changed[series]
            others = [change for each, change in changed.items() if each != series]
            beside += [own, own - middle_of(others, own)] if others else [own]
        found[series] = smallest_change(beside)
    return found


def _found(
    hours: Hours, series: Series, change: pl.Series, least: _Least, tuning: Tuning
) -> Iterator[Found]:
    usual = usual_before(change.abs(), hours.a_day, _NEARLY_ALL)
    learnt = (least.times_usual * usual).clip(log(least.times), _MOST_LOG).exp()
    threshold = tuning.thresholds_of(QualityRule.VOLUME_SHARE, learnt)
    for sign in (1, -1):
        times = (change * sign).exp()
        for start, end in runs_of(times > threshold, least.hours):
            rows = slice(start, end)
            yield Found(
                QualityRule.VOLUME_SHARE,
                series,
                hours.interval(series, start, end),
                sign * median_of(times[rows]),
                least_of(threshold[rows]),
                {"usual_times": exp(float(usual[start]))},
            )
