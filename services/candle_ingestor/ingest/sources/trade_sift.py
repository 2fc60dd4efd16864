"""Sorts an answer's rows into trades and rejected rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from candle_ingestor.exchanges.trades import NS_PER_MS, TRADES, RawTrades
from candle_ingestor.ingest.sources.sift import RejectedRow
from candle_ingestor.model.intervals import IntervalSet

SIFTED_TRADES: dict[str, pl.DataType] = {**TRADES, "key": pl.String()}
"""Trades with what tells one from all others of its answer: its id, or else its content and which
of those with the same content it is."""


@dataclass(frozen=True)
class SiftedTrades:
    """An answer's rows, sorted out.

    Attributes:
        trades: columns SIFTED_TRADES, ascending by time, and by id within a time.
        rejected: the rows that are no trades.
        rejected_spans: the points of time, to the millisecond, that these may belong to.
        row_count: how many rows came.
    """

    trades: pl.DataFrame
    rejected: tuple[RejectedRow, ...]
    rejected_spans: IntervalSet
    row_count: int


def sift_trades(rows: RawTrades) -> SiftedTrades:
    """The trades and the rejected rows of an answer, whatever its order.

    A trade that is shown twice with one id is one; two different ones of one id are rejected.
    """
    judged = rows.frame.with_row_index("row").with_columns(why=_why())
    content = ("time_ns", "price", "amount")
    differs = pl.struct(content).n_unique().over("id") > 1
    judged = judged.with_columns(
        why=pl.when(pl.col("why").is_null() & pl.col("id").is_not_null() & differs)
        .then(pl.lit("another trade of this id differs"))
        .otherwise("why")
    )
    bad = judged.filter(pl.col("why").is_not_null())
    good = judged.filter(pl.col("why").is_null())
    trades = (
        good.filter(pl.col("id").is_null() | pl.struct("id").is_first_distinct())
        .with_columns(number=pl.col("id").cast(pl.Int64, strict=False))
        .sort("time_ns", "number", nulls_last=True, maintain_order=True)
        .with_columns(
            key=pl.when(pl.col("id").is_not_null())
            .then("id")
            .otherwise(
                pl.concat_str(
                    [*content, pl.int_range(pl.len()).over(content)],
                    separator="|",
                )
            )
        )
        .select(SIFTED_TRADES.keys())
    )
    return SiftedTrades(
        trades,
        tuple(RejectedRow(why, rows.raw[row]) for row, why in bad.select("row", "why").iter_rows()),
        _spans(bad, judged),
        rows.frame.height,
    )


def _spans(bad: pl.DataFrame, judged: pl.DataFrame) -> IntervalSet:
    times_ms = (judged["time_ns"].drop_nulls() // NS_PER_MS).sort().to_list()
    if bad["time_ns"].null_count() and times_ms:
        # It may stand for any time of the answer.
        return IntervalSet.of(times_ms[0], times_ms[-1] + 1)
    bad_ms = (bad["time_ns"].drop_nulls() // NS_PER_MS).to_list()
    return IntervalSet((time_ms, time_ms + 1) for time_ms in bad_ms)


def _why() -> pl.Expr:
    return (
        pl.when(
            pl.any_horizontal(pl.col(name).is_null() for name in ("time_ns", "price", "amount"))
        )
        .then(pl.lit("a field is missing, or no number above 0"))
        .when(pl.col("price") <= 0)
        .then(pl.lit("the price is not above 0"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
