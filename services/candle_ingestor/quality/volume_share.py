"""An exchange whose volumes are a multiple or a fraction of what they were: of another unit."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log

import polars as pl

from candle_ingestor.quality.findings import Found, Rule
from candle_ingestor.quality.hours import Hours, usual_before
from candle_ingestor.quality.robust import middle_of, runs_of
from candle_ingestor.quality.tuning import Tuning

_LEAST_TIMES = 5.0
_SIGMAS = 6.0
_LEAST_HOURS = 2


def volume_shares(hours: Hours, tuning: Tuning) -> Iterator[Found]:
    """Hours in a row with another typical volume, beside its own usual one and that of the others.

    The value is how many times larger, and negative how many times smaller, its volume is than what
    it usually is, after what the others did meanwhile is taken out.
    """
    changes = {
        series: side["log_volume"] - usual_before(side["log_volume"], hours.a_day)
        for series, side in hours.sides.items()
    }
    for series, own in changes.items():
        others = [change for each, change in changes.items() if each != series]
        excess = own - middle_of(others, own) if others else own
        spread = usual_before(excess.abs(), hours.a_day) * 1.4826
        table = pl.DataFrame({"excess": excess, "own": own, "spread": spread})
        for sign in (1, -1):
            size = table["excess"] * sign
            for start, end in runs_of(size > log(2.0), _LEAST_HOURS):
                rows = table.slice(start, end - start)
                spread_there = float(rows["spread"].min() or 0.0)  # type: ignore[arg-type]
                threshold = tuning.threshold(
                    Rule.VOLUME_SHARE, max(_LEAST_TIMES, exp(min(_SIGMAS * spread_there, 20.0)))
                )
                times = exp(float((rows["excess"] * sign).median()))  # type: ignore[arg-type]
                if times > threshold:
                    yield Found(
                        Rule.VOLUME_SHARE,
                        series,
                        hours.interval(series, start, end),
                        sign * times,
                        threshold,
                        {"own_times": exp(float(rows["own"].median()))},  # type: ignore[arg-type]
                    )
