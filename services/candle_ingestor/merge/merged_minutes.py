"""What the two ways of merging answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl


class MergedMinutes(NamedTuple):
    """Merged candles without coverage; the fields are those of `MergedCandles`."""

    candles: pl.DataFrame
    excluded: Mapping[str, int]
    disagreements: int
