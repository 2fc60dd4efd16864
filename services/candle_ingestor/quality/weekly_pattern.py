"""An exchange that trades in far fewer or more minutes than it does at this time of other weeks."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality.findings import Found, Rule
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import middle_of, runs_of
from candle_ingestor.quality.tuning import Tuning

_LEAST_POINTS = 20.0
_SIGMAS = 5.0
_WEEKS = 4
_DAYS = 6
_HOURS_TOGETHER = 6
_LEAST_HOURS = 6

APART_MS = 6 * HOUR_MS


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
            pl.when((pl.col("traded") > 0) & (pl.col("known") > 0))
            .then(100 * pl.col("traded") / pl.col("known"))
        ).to_series()
        for series, side in hours.sides.items()
    }
    beside_weeks = {s: each - _at_other_times(each, 168, _WEEKS) for s, each in active.items()}
    beside_days = {s: each - _at_other_times(each, 24, _DAYS) for s, each in active.items()}
    for series, own in beside_weeks.items():
        others = [change for each, change in beside_weeks.items() if each != series]
        excess = _beyond(own, middle_of(others, own)) if others else own
        together = [
            each.rolling_mean(_HOURS_TOGETHER, min_samples=_HOURS_TOGETHER // 2, center=True)
            for each in (excess, beside_days[series])
        ]
        spread = usual_before(together[0].abs(), hours.a_day) * 1.4826
        table = pl.DataFrame({"excess": together[0], "days": together[1], "spread": spread})
        for sign in (1, -1):
            threshold = tuning.threshold(
                Rule.WEEKLY_PATTERN,
                max(_LEAST_POINTS, _SIGMAS * float(spread.median() or 0.0)),  # type: ignore[arg-type]
            )
            sizes = (table["excess"] * sign, table["days"] * sign)
            holds = (sizes[0] > threshold) & (sizes[1] > threshold / 2)
            for start, end in runs_of(holds, _LEAST_HOURS, 1):
                rows = table.slice(start, end - start)
                yield Found(
                    Rule.WEEKLY_PATTERN,
                    series,
                    hours.interval(series, start, end),
                    float(rows["excess"].median()),  # type: ignore[arg-type]
                    threshold,
                    {"beside_days_points": float(rows["days"].median())},  # type: ignore[arg-type]
                )


def _at_other_times(values: pl.Series, period: int, times: int) -> pl.Series:
    """The median of the values so many periods before and after."""
    shifted = [values.shift(period * each) for each in range(-times, times + 1) if each]
    frame = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(shifted)])
    return frame.select(pl.concat_list(pl.all()).list.median()).to_series()


def _beyond(own: pl.Series, others: pl.Series) -> pl.Series:
    """What is left of the change after that of the others, if theirs goes the same way."""
    theirs = pl.when(pl.col("own") > 0).then(pl.col("theirs").clip(0, None)).otherwise(
        pl.col("theirs").clip(None, 0)
    )
    left = pl.col("own") - theirs
    frame = pl.DataFrame({"own": own, "theirs": others.fill_null(0.0)})
    return frame.select(
        pl.when(left * pl.col("own") > 0).then(left).when(left.is_null()).then(None).otherwise(0.0)
    ).to_series()
