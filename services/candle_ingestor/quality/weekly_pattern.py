"""An exchange that trades in far fewer or more minutes than it does at this time of other weeks."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import least_of, median_of, middle_of, runs_of, smallest_change
from candle_ingestor.quality.tuning import Tuning

_LEAST_POINTS = 25.0
_TIMES_USUAL = 1.7
_NEARLY_ALL = 0.8
_WEEKS = 4
_DAYS = 6
_HOURS_TOGETHER = 10
_LEAST_HOURS = 6

APART_MS = DAY_MS


def weekly_patterns(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Six hours and more whose share of candle lengths with a trade is not what the week has then.

    The value is in points: how many more of a hundred candle lengths, negative for fewer, had a
    trade than at this time of the four weeks before and after. What changes with the others, or not
    beside the days around, is no break. Hours without any trade are left out.
    """
    if hours.a_day != 24:
        return
    active = {
        series: side.select(
            pl.when((pl.col("traded") > 0) & (pl.col("known") > 0)).then(
                100 * pl.col("traded") / pl.col("known")
            )
        ).to_series()
        for series, side in hours.sides.items()
    }
    beside_weeks = {s: each - _at_other_times(each, 168, _WEEKS) for s, each in active.items()}
    for series, own in beside_weeks.items():
        others = [change for each, change in beside_weeks.items() if each != series]
        beside_others = own - middle_of(others, own) if others else own
        beside_days = active[series] - _at_other_times(active[series], 24, _DAYS)
        change = smallest_change([_smooth(own), _smooth(beside_others), _smooth(beside_days)])
        usual = usual_before(change.abs(), hours.a_day, _NEARLY_ALL)
        learnt = (_TIMES_USUAL * usual).clip(_LEAST_POINTS, 100.0)
        threshold = tuning.thresholds_of(QualityRule.WEEKLY_PATTERN, learnt)
        for sign in (1, -1):
            for start, end in runs_of(change * sign > threshold, _LEAST_HOURS, 1):
                rows = slice(start, end)
                yield Found(
                    QualityRule.WEEKLY_PATTERN,
                    series,
                    hours.interval(series, start, end),
                    median_of(change[rows]),
                    least_of(threshold[rows]),
                    {"usual_points": float(usual[start])},
                )


def _smooth(values: pl.Series) -> pl.Series:
    return values.rolling_mean(_HOURS_TOGETHER, min_samples=_HOURS_TOGETHER // 2, center=True)


def _at_other_times(values: pl.Series, period: int, times: int) -> pl.Series:
    """The median of the values so many periods before and after."""
    shifted = [values.shift(period * each) for each in range(-times, times + 1) if each]
    frame = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(shifted)])
    return frame.select(pl.concat_list(pl.all()).list.median()).to_series()
