"""What outages and flat feeds have in common: a long run of minutes while the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.robust import runs_of
from candle_ingestor.quality.tuning import Tuning

_LEAST_MINUTES = 15
_LEAST_CANDLES = 3
_TIMES_USUAL = 3.0
_OTHERS_GO_ON = 0.5
_FEW_DAYS = 3


def long_runs(
    panel: Panel, series: Series, rule: QualityRule, holds: pl.Series, tuning: Tuning
) -> Iterator[Found]:
    """Runs of rows far longer than usual, in which the others trade half of what they usually do.

    The value is the length in minutes. Usual is the longest run of a day, of all days the median;
    the threshold is a multiple of that, and 15 minutes or 3 candles at least.
    """
    side = panel.sides[series]
    others, minutes_per_row = side["others"], panel.timeframe.minutes
    often = int(others.filter(side["known"]).sum()) / max(int(side["known"].sum()), 1)
    if not often:
        return
    runs = runs_of(holds)
    usual = _usual_longest(runs, side, panel.timeframe.duration_ms) * minutes_per_row
    least = max(_LEAST_MINUTES, _LEAST_CANDLES * minutes_per_row)
    threshold = tuning.threshold(rule, max(float(least), _TIMES_USUAL * usual))
    for start, end in runs:
        minutes = float((end - start) * minutes_per_row)
        if minutes < threshold:
            continue
        traded = int(others.slice(start, end - start).sum())
        if traded >= _OTHERS_GO_ON * often * (end - start):
            yield Found(
                rule,
                series,
                Interval(panel.time_ms(start), panel.time_ms(end)),
                minutes,
                threshold,
                {"usual_minutes": usual, "candles_of_others": traded},
            )


def _usual_longest(runs: list[tuple[int, int]], side: pl.DataFrame, length_ms: int) -> float:
    """How many rows the longest run of a day has, of all days that are known the median.

    Where these are few, six hours stand for a day: one long run would be what is usual.
    """
    known = side["known"]
    rows = DAY_MS // length_ms
    if known.sum() < _FEW_DAYS * rows:
        rows = max(rows // 4, 1)
    longest = {
        first // rows: 0 for first in range(0, known.len(), rows) if known.slice(first, rows).any()
    }
    for start, end in runs:
        longest[start // rows] = max(longest.get(start // rows, 0), end - start)
    return float(median(longest.values())) if longest else 0.0
