"""Picks the deviating minutes to tell of from columns, few however many there are."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_ingestor.merge.deviations import (
    MOST_TOLD,
    Disagreement,
    Exclusion,
    disagreement_of,
    exclusions_of,
)
from candle_ingestor.merge.outliers import DISAGREES, kept
from candle_ingestor.merge.table import columns, present
from candle_ingestor.model.candles import PRICE_COLUMNS, VALUE_COLUMNS


def pick_exclusions(
    table: pl.DataFrame, flags: pl.DataFrame, exchanges: Sequence[str]
) -> list[Exclusion]:
    """Of each exchange, the first candles that were left out and the one farthest off.

    `table` is side by side, in the order of `exchanges`. `flags` has the `kept` columns of the
    same rows.
    """
    found = []
    for position, exchange in enumerate(exchanges):
        is_present = table.select(present(position)).to_series()
        left_out = table.filter(is_present & ~flags[kept(position)])
        size = pl.max_horizontal(
            (price / _median(name, len(exchanges)) - 1).abs()
            for name in PRICE_COLUMNS
            for price in columns(name, [position])
        )
        for open_time_ms, candles in _minutes(_first_and_worst(left_out, size), exchanges):
            found += exclusions_of(open_time_ms, candles, [exchange])
    return found


def pick_disagreements(
    table: pl.DataFrame, flags: pl.DataFrame, exchanges: Sequence[str]
) -> list[Disagreement]:
    """The first minutes that disagree and the one that does so most; `flags` has `disagrees`."""
    positions = range(len(exchanges))
    size = pl.max_horizontal(
        pl.max_horizontal(columns(name, positions)) / pl.min_horizontal(columns(name, positions))
        for name in PRICE_COLUMNS
    )
    picked = _first_and_worst(table.filter(flags[DISAGREES]), size)
    return [disagreement_of(*minute) for minute in _minutes(picked, exchanges)]


def _median(name: str, width: int) -> pl.Expr:
    return pl.concat_list(columns(name, range(width))).list.median()


def _first_and_worst(table: pl.DataFrame, size: pl.Expr) -> pl.DataFrame:
    if table.height <= MOST_TOLD:
        return table
    worst = table.select(size.arg_max()).item()
    first = table.head(MOST_TOLD)
    return first if worst < MOST_TOLD else pl.concat([first, table.slice(worst, 1)])


def _minutes(
    table: pl.DataFrame, exchanges: Sequence[str]
) -> list[tuple[int, dict[str, list[float]]]]:
    """Each row's open time, and the candles that it has by exchange."""
    width = len(VALUE_COLUMNS)
    minutes = []
    for open_time_ms, *values in table.iter_rows():
        each = (values[i * width : (i + 1) * width] for i in range(len(exchanges)))
        candles = dict(zip(exchanges, each, strict=True))
        minutes.append((open_time_ms, {e: c for e, c in candles.items() if c[0] is not None}))
    return minutes
