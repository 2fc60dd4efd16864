"""Candles that are those of another time once more."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import MINUTE_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.tuning import Tuning

_LEAST_CANDLES = 10.0
_MOST_APART = 30
"""How many other candles may lie between two of one repetition."""


def doubled_hours(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Rows of traded candles that have the prices and volumes of earlier ones, all by one distance.

    The value is how many they are. A feed that sends one candle again and again is flat, and not
    looked at here.
    """
    threshold = tuning.threshold(QualityRule.DOUBLED_HOURS, _LEAST_CANDLES)
    length_ms = panel.timeframe.duration_ms
    for series, side in panel.sides.items():
        bars = side.select(
            "open_time_ms", "traded", pl.struct(VALUE_COLUMNS).hash().alias("bar")
        ).filter("traded")
        repeated = (
            bars.filter(pl.col("bar").is_duplicated())
            .with_columns(distance=pl.col("open_time_ms").diff().over("bar"))
            .filter(pl.col("distance") > length_ms)
            .sort("distance", "open_time_ms")
            .with_columns(
                is_first=(
                    (pl.col("distance") != pl.col("distance").shift(1))
                    | (pl.col("open_time_ms").diff() > _MOST_APART * length_ms)
                ).fill_null(value=True)
            )
            .group_by(pl.col("is_first").cum_sum(), maintain_order=True)
            .agg(
                start=pl.col("open_time_ms").first(),
                last=pl.col("open_time_ms").last(),
                distance=pl.col("distance").first(),
                candles=pl.len(),
            )
            .filter(pl.col("candles") >= threshold)
        )
        for row in repeated.iter_rows(named=True):
            yield Found(
                QualityRule.DOUBLED_HOURS,
                series,
                Interval(row["start"], row["last"] + length_ms),
                float(row["candles"]),
                threshold,
                {"minutes_apart": row["distance"] / MINUTE_MS},
            )
