"""An exchange that trades far more or less often than it does at this time of other weeks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, log

import polars as pl

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import least_of, median_of, middle_of, runs_of, smallest_change
from candle_ingestor.quality.tuning import Tuning

_LEAST_TIMES = 3.0
_TIMES_USUAL = 1.7
_MOST_LOG = 40.0
_NEARLY_ALL = 0.8
_WEEKS = 4
_DAYS = 6
_HOURS_TOGETHER = 10
_LEAST_HOURS = 6

APART_MS = DAY_MS


def weekly_patterns(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Six hours and more in which it does not trade as often as the week has it then.

    The value is how many times more often, and negative how many times less often, it trades than
    at this time of the four weeks before and after. What changes with the others, or not beside the
    days around, is no break. The others are taken out of the change beside the weeks or beside the
    days, whichever leaves more: where there are few weeks, one that was like no other is among
    them. Hours without any trade are left out.
    """
    if hours.a_day != 24:
        return
    rates = {series: _log_rate(side) for series, side in hours.sides.items()}
    beside_weeks = {s: each - _at_other_times(each, 168, _WEEKS) for s, each in rates.items()}
    beside_days = {s: each - _at_other_times(each, 24, _DAYS) for s, each in rates.items()}
    for series in hours.sides:
        changes = [_smooth(beside_weeks[series]), _smooth(beside_days[series])]
        if len(hours.sides) > 1:
            changes.append(
                _larger(
                    _smooth(_beside_others(beside_weeks, series)),
                    _smooth(_beside_others(beside_days, series)),
                )
            )
        change = smallest_change(changes)
        usual = usual_before(change.abs(), hours.a_day, _NEARLY_ALL)
        learnt = (_TIMES_USUAL * usual).clip(log(_LEAST_TIMES), _MOST_LOG).exp()
        threshold = tuning.thresholds_of(QualityRule.WEEKLY_PATTERN, learnt)
        for sign in (1, -1):
            times = (change * sign).exp()
            for start, end in runs_of(times > threshold, _LEAST_HOURS, 1):
                rows = slice(start, end)
                yield Found(
                    QualityRule.WEEKLY_PATTERN,
                    series,
                    hours.interval(series, start, end),
                    sign * median_of(times[rows]),
                    least_of(threshold[rows]),
                    {"usual_times": exp(float(usual[start]))},
                )


def _log_rate(side: pl.DataFrame) -> pl.Series:
    """The logarithm of how often a candle length is traded in; null for hours without any trade.

    Of lengths with a trade some have several: were trades to come at random, the share without one
    would tell how often they come. An hour that lacks none counts as one that lacks half a one.
    """
    share = pl.min_horizontal(pl.col("traded"), pl.col("known") - 0.5) / pl.col("known")
    return side.select(
        pl.when((pl.col("traded") > 0) & (pl.col("known") > 0)).then((-(1 - share).log()).log())
    ).to_series()


def _beside_others(changes: Mapping[Series, pl.Series], series: Series) -> pl.Series:
    others = [change for each, change in changes.items() if each != series]
    return changes[series] - middle_of(others, changes[series])


def _larger(first: pl.Series, second: pl.Series) -> pl.Series:
    """Row by row the one that is farther from 0; the other one where one is null."""
    frame = pl.DataFrame({"first": first, "second": second})
    return frame.select(
        pl.when(pl.col("second").abs() > pl.col("first").abs())
        .then("second")
        .otherwise(pl.coalesce("first", "second"))
    ).to_series()


def _smooth(values: pl.Series) -> pl.Series:
    return values.rolling_mean(_HOURS_TOGETHER, min_samples=_HOURS_TOGETHER // 2, center=True)


def _at_other_times(values: pl.Series, period: int, times: int) -> pl.Series:
    """The median of the values so many periods before and after."""
    shifted = [values.shift(period * each) for each in range(-times, times + 1) if each]
    frame = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(shifted)])
    return frame.select(pl.concat_list(pl.all()).list.median()).to_series()
