"""What outages and flat feeds have in common: a long run of minutes while the others go on."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.robust import lengths_of, runs_of
from candle_ingestor.quality.tuning import Tuning

_LEAST_MINUTES = 15
_LEAST_CANDLES = 3
_TIMES_USUAL = 4.0
_RARE = 0.001
_RARE_OF_FEW = 0.01
_FEW = 5_000
_OTHERS_GO_ON = 0.5


def long_runs(
    panel: Panel, series: Series, rule: QualityRule, holds: pl.Series, tuning: Tuning
) -> Iterator[Found]:
    """Runs of rows far longer than usual, in which the others trade half of what they usually do.

    The value is the length in minutes. Usual is the length of the run after all but one candle in
    a thousand, where most candles have none; the threshold is four times that, and 15 minutes or 3
    candles at least.
    """
    side = panel.sides[series]
    others, minutes_per_row = side["others"], panel.timeframe.minutes
    often = float(others.filter(side["known"]).mean() or 0.0)  # type: ignore[arg-type]
    if not often:
        return
    usual = _usual_length(holds, side["open"].len() - side["open"].null_count()) * minutes_per_row
    least = max(_LEAST_MINUTES, _LEAST_CANDLES * minutes_per_row)
    threshold = tuning.threshold(rule, max(float(least), _TIMES_USUAL * usual))
    for start, end in runs_of(holds):
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


def _usual_length(holds: pl.Series, candles: int) -> float:
    """How long the run is that follows all but the rarest candles."""
    lengths = lengths_of(holds).sort(descending=True)
    rare = int(candles * (_RARE if candles >= _FEW else _RARE_OF_FEW))
    return float(lengths[rare]) if rare < lengths.len() else 0.0
