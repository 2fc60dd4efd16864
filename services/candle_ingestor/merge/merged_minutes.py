"""What the two ways of merging answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from candle_ingestor.merge.deviations import Disagreement, Exclusion


class MergedMinutes(NamedTuple):
    """Merged candles without coverage; the fields are those of `MergedCandles`."""

    candles: pl.DataFrame
    excluded: Mapping[str, int]
    disagreements: int
    exclusions_told: Sequence[Exclusion] = ()
    disagreements_told: Sequence[Disagreement] = ()
