"""An exchange whose prices stand above or below those of the others for hours."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality.findings import Found, Rule
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import runs_of
from candle_ingestor.quality.tuning import Tuning

_LEAST_BPS = 20.0
_TIMES_USUAL = 15.0
_LEAST_HOURS = 2

APART_MS = 12 * HOUR_MS
"""Offsets that are back within half a day are one."""


def price_offsets(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Hours in a row in which the median distance from the others is large, and to one side.

    The value is the median of these hours in bps, negative below the others. Usual is the distance
    of its closes from theirs; the threshold is a multiple of it. An offset begins and ends where
    it is half of the threshold.
    """
    for series, side in hours.sides.items():
        usual = usual_before(side["distance"], hours.a_day)
        table = side.select(
            "deviation",
            "jump",
            usual.alias("usual"),
            usual.map_elements(
                lambda value: tuning.threshold(
                    Rule.PRICE_OFFSET, max(_LEAST_BPS, _TIMES_USUAL * value)
                ),
                return_dtype=pl.Float64,
            ).alias("threshold"),
        )
        for sign in (1, -1):
            size = table["deviation"] * sign
            for start, end in runs_of(size > table["threshold"] / 2, _LEAST_HOURS):
                rows = table.slice(start, end - start)
                value = float(rows["deviation"].median())  # type: ignore[arg-type]
                threshold = float(rows["threshold"].min())  # type: ignore[arg-type]
                if abs(value) > threshold:
                    yield Found(
                        Rule.PRICE_OFFSET,
                        series,
                        hours.interval(series, start, end),
                        value,
                        threshold,
                        {
                            "usual_distance_bps": float(rows["usual"][0]),
                            "jump_bps": _jump_at_the_ends(table["jump"], start, end),
                        },
                    )


def _jump_at_the_ends(jumps: pl.Series, start: int, end: int) -> float:
    """The longest way from close to close where it began or ended."""
    near = [*jumps[max(start - 1, 0) : start + 1], *jumps[end - 1 : end + 1]]
    return max((float(each) for each in near if each is not None), default=0.0)
