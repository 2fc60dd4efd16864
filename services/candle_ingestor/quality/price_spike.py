"""A single bar with a price that neither its neighbours nor other exchanges show."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.tuning import Tuning

_LEAST_BPS = 150.0
_TIMES_USUAL = 10.0
_TIMES_RANGE = 8.0
_RARE = 0.99
_AROUND = 721
_AROUND_RANGE = 61
_LEAST_AROUND = 10


def price_spikes(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Bars whose high is above, or low below, all that is near, by more than is usual there.

    Near are the bars before and after it, and those of other exchanges from a candle length before
    to one after. The value is the distance in bps, negative below.
    """
    for series, side in panel.sides.items():
        others = panel.others(series)
        bars = (
            side.select(
                *("open_time_ms", "traded", "high", "low"),
                _extreme([other["high"] for other in others], side.height).alias("others_high"),
                _extreme([other["low"] for other in others], side.height, lowest=True).alias(
                    "others_low"
                ),
            )
            .filter("traded")
            .with_columns(
                above=_bps("high", pl.max_horizontal(*_neighbours("high"), "others_high")),
                below=-_bps("low", pl.min_horizontal(*_neighbours("low"), "others_low")),
                range=_bps("high", pl.col("low")),
            )
            .with_columns(size=pl.max_horizontal("above", "below", 0.0))
        )
        least = tuning.threshold(QualityRule.PRICE_SPIKE, _LEAST_BPS)
        # What is usual around a bar takes long to tell, and most months have none to be judged.
        if bars.height < _LEAST_AROUND or not (bars["size"] > least).any():
            continue
        near = bars.with_columns(
            usual=pl.col("size").rolling_quantile(
                _RARE, "higher", window_size=_AROUND, min_samples=_LEAST_AROUND, center=True
            ),
            range=pl.col("range").rolling_median(
                _AROUND_RANGE, min_samples=_LEAST_AROUND, center=True
            ),
        )
        for bar in near.filter(pl.col("size") > least).iter_rows(named=True):
            learnt = max(_LEAST_BPS, _TIMES_USUAL * bar["usual"], _TIMES_RANGE * bar["range"])
            threshold = tuning.threshold(QualityRule.PRICE_SPIKE, learnt)
            if bar["size"] > threshold:
                start_ms = bar["open_time_ms"]
                yield Found(
                    QualityRule.PRICE_SPIKE,
                    series,
                    Interval(start_ms, start_ms + panel.timeframe.duration_ms),
                    bar["size"] if bar["above"] >= bar["below"] else -bar["size"],
                    threshold,
                    {"usual_range_bps": bar["range"]},
                )


def _extreme(values: list[pl.Series], height: int, *, lowest: bool = False) -> pl.Series:
    """The highest of all the series, or the lowest, from a row before to a row after."""
    if not values:
        return pl.Series([None], dtype=pl.Float64).new_from_index(0, height)
    frame = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(values)])
    if lowest:
        lows = frame.select(pl.min_horizontal(pl.all())).to_series()
        return lows.rolling_min(3, min_samples=1, center=True)
    highs = frame.select(pl.max_horizontal(pl.all())).to_series()
    return highs.rolling_max(3, min_samples=1, center=True)


def _neighbours(name: str) -> tuple[pl.Expr, pl.Expr]:
    return pl.col(name).shift(1), pl.col(name).shift(-1)


def _bps(name: str, base: pl.Expr) -> pl.Expr:
    return (pl.col(name) / base).log() * 10_000
