"""Sorts an answer's rows into candles and rejected rows (rule M8). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.model.candles import EXCHANGE_CANDLES, VALUE_COLUMNS, are_finite
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class RejectedRow:
    """A row that is no candle, and why."""

    why: str
    raw: Any


@dataclass(frozen=True)
class SiftedRows:
    """An answer's rows, sorted out.

    Attributes:
        candles: the candles, as EXCHANGE_CANDLES, ascending, one an open time.
        rejected: the rows that are none.
        rejected_minutes: the candle lengths that rejected rows stand for.
        has_unplaceable: whether a rejected row may stand for a minute other than its own: its
            open time is missing or off the grid.
    """

    candles: pl.DataFrame
    rejected: tuple[RejectedRow, ...] = ()
    rejected_minutes: IntervalSet = EMPTY
    has_unplaceable: bool = False


def sift(rows: RawRows, timeframe: Timeframe) -> SiftedRows:
    """The candles and the rejected rows of an answer, whatever its order."""
    frame = rows.frame
    ascending = frame.reverse() if _descends(frame["open_time_ms"]) else frame
    if _is_clean(ascending, timeframe):
        return SiftedRows(ascending)
    judged = (
        frame.with_row_index("row")
        .with_columns(why=_why(timeframe))
        .with_columns(
            differs=pl.struct(VALUE_COLUMNS).n_unique().over("open_time_ms") > 1,
        )
        .with_columns(
            why=pl.when(pl.col("why").is_null() & pl.col("differs"))
            .then(pl.lit("another row of this open time differs"))
            .otherwise("why")
        )
    )
    length_ms = timeframe.duration_ms
    placed = judged.filter(pl.col("why").is_not_null())["open_time_ms"].drop_nulls().to_list()
    starts = {timeframe.floor_ms(time) for time in placed}
    minutes = IntervalSet((start, start + length_ms) for start in starts)
    judged = judged.with_columns(
        why=pl.when(pl.col("why").is_null() & pl.col("open_time_ms").is_in(list(starts)))
        .then(pl.lit("another row of this candle is off the grid"))
        .otherwise("why")
    )
    good = judged.filter(pl.col("why").is_null())
    bad = judged.filter(pl.col("why").is_not_null())
    return SiftedRows(
        candles=good.unique("open_time_ms").sort("open_time_ms").select(EXCHANGE_CANDLES.keys()),
        rejected=tuple(
            RejectedRow(why, rows.raw[row]) for row, why in bad.select("row", "why").iter_rows()
        ),
        rejected_minutes=minutes,
        has_unplaceable=len(placed) < bad.height or any(time % length_ms for time in placed),
    )


def _descends(times: pl.Series) -> bool:
    first, last = (times[0], times[-1]) if times.len() > 1 else (0, 0)
    return first is not None and last is not None and first > last


def _is_clean(frame: pl.DataFrame, timeframe: Timeframe) -> bool:
    """Whether every row is a candle and open times ascend: nearly always, so it is made cheap.

    Only sums, differences and the least of whole columns are used: others cost many times more.
    """
    if frame.is_empty():
        return True
    times, opens, highs, lows, closes, volumes = columns = frame.get_columns()
    if any(column.null_count() for column in columns):
        return False
    # Differences of finite floats keep their sign, and there are no infinite ones here.
    return (
        all(are_finite(column) for column in columns[1:])
        and not (times % timeframe.duration_ms).sum()
        and _least(times.slice(1) - times.slice(0, times.len() - 1)) > 0
        and _least(lows) > 0
        and _least(volumes) >= 0
        and all(_least(prices - lows) >= 0 for prices in (opens, closes))
        and all(_least(highs - prices) >= 0 for prices in (opens, closes))
    )


def _least(values: pl.Series) -> Any:
    return values.min() if values.len() else 1


def _why(timeframe: Timeframe) -> pl.Expr:
    prices = [pl.col(name) for name in ("open", "high", "low", "close")]
    values = [pl.col(name) for name in VALUE_COLUMNS]
    is_missing = pl.any_horizontal(
        pl.col("open_time_ms").is_null(),
        *(value.is_null() | ~value.is_finite().fill_null(False) for value in values),
    )
    return (
        pl.when(is_missing)
        .then(pl.lit("a field is missing or no number"))
        .when(pl.col("open_time_ms") % timeframe.duration_ms != 0)
        .then(pl.lit(f"the open time is off the {timeframe} grid"))
        .when(pl.any_horizontal(*(price <= 0 for price in prices)))
        .then(pl.lit("a price is not above 0"))
        .when(pl.col("volume") < 0)
        .then(pl.lit("the volume is negative"))
        .when(
            (pl.col("low") > pl.min_horizontal("open", "close"))
            | (pl.col("high") < pl.max_horizontal("open", "close"))
        )
        .then(pl.lit("it breaks low <= open, close <= high"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
