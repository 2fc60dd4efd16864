"""An exchange whose prices stand above or below those of the others for hours."""

from __future__ import annotations

from collections.abc import Iterator

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import largest_at_ends, least_of, median_of, runs_of
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
        learnt = (_TIMES_USUAL * usual).clip(_LEAST_BPS, None)
        threshold = tuning.thresholds_of(QualityRule.PRICE_OFFSET, learnt)
        for sign in (1, -1):
            size = side["deviation"] * sign
            for start, end in runs_of(size > threshold / 2, _LEAST_HOURS):
                rows = slice(start, end)
                value = median_of(size[rows])
                least = least_of(threshold[rows])
                if value > least:
                    yield Found(
                        QualityRule.PRICE_OFFSET,
                        series,
                        hours.interval(series, start, end),
                        sign * value,
                        least,
                        {
                            "usual_distance_bps": float(usual[start]),
                            "jump_bps": largest_at_ends(side["jump"], start, end),
                        },
                    )
