"""A feed that sends candles, and the same price again and again, while others trade."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.still_minutes import long_runs
from candle_ingestor.quality.tuning import Tuning


def flat_feeds(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Long runs of candles that repeat the one before, or are its close and nothing else."""
    for series, side in panel.sides.items():
        before = {name: pl.col(name).forward_fill().shift(1) for name in PRICE_COLUMNS}
        repeats = pl.all_horizontal(pl.col(name) == before[name] for name in PRICE_COLUMNS)
        stands = (pl.col("high") == pl.col("low")) & (pl.col("close") == before["close"])
        still = side.select((repeats | stands).fill_null(value=False)).to_series()
        yield from long_runs(panel, series, QualityRule.FLAT_FEED, still, tuning)
