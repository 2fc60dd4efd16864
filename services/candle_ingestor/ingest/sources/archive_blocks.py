"""The blocks of an archive file, judged row by row before any of it is believed (M8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from candle_ingestor.archives.containers import CandleFile
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.reader import read_rows
from candle_ingestor.archives.rows import Line
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.ingest.sources.sift import SiftedRows, sift
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import minute_text

Around = tuple[int | None, int | None]
"""Open times of the candles before and after a row without a place of its own.

None where that candle is in another block.
"""


@dataclass(frozen=True)
class BadRow:
    """A row that is no candle, or not one of its file."""

    line: int
    why: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line:,}: {self.why}: {quoted(self.text, 100)}"


@dataclass(frozen=True)
class ArchiveBlock:
    """One block of a file, judged.

    Attributes:
        candles: as EXCHANGE_CANDLES, ascending; those that are closed.
        bad_rows: in the file's order.
        rejected: what bad rows leave open.
        loose: spans that rows without a place of their own leave open.
        size_bytes: what was read for it.
    """

    candles: pl.DataFrame
    bad_rows: tuple[BadRow, ...]
    rejected: IntervalSet
    loose: tuple[Around, ...]
    size_bytes: int


def judged_blocks(
    file: CandleFile, described: Described, closed_end_ms: int
) -> Iterator[ArchiveBlock]:
    """The blocks of a file, in its order, each judged by itself (rules M8 and T1).

    Raises:
        ArchiveError: if the file cannot be read.
    """
    timeframe = described.series.timeframe
    for block in read_rows(file, described.layout):
        sifted = sift(block.rows, timeframe)
        bad = [BadRow(row.raw.number, row.why, row.raw.text) for row in sifted.rejected]
        candles = sifted.candles
        if described.span is not None:
            candles, strangers = _within_named_span(block.rows, candles, described.span)
            bad = sorted([*bad, *strangers], key=lambda row: row.line)
        closed = candles
        if not candles.is_empty() and candles["open_time_ms"][-1] >= closed_end_ms:
            closed = candles.filter(pl.col("open_time_ms") < closed_end_ms)
        rejected = sifted.rejected_minutes
        loose: tuple[Around, ...] = ()
        if sifted.has_unplaceable:
            silences, loose = _left_open(block.rows, sifted, timeframe)
            rejected = rejected | silences
        yield ArchiveBlock(closed, tuple(bad), rejected, loose, block.size_bytes)


def _within_named_span(
    rows: RawRows, candles: pl.DataFrame, span: Interval
) -> tuple[pl.DataFrame, list[BadRow]]:
    times = candles["open_time_ms"]
    if candles.is_empty() or (times[0] >= span.start_ms and times[-1] < span.end_ms):
        return candles, []
    why = (
        f"it is not of {minute_text(span.start_ms)} to {minute_text(span.end_ms)}, which the "
        "file's name states"
    )
    inside = candles_within(candles, IntervalSet((span,)))
    outside = candles.filter(~pl.col("open_time_ms").is_in(inside["open_time_ms"].implode()))
    found = rows.frame.with_row_index("row").join(outside, on="open_time_ms", how="semi")["row"]
    lines: list[Line] = [rows.raw[row] for row in found]
    return inside, [BadRow(line.number, why, line.text) for line in lines]


def _left_open(
    rows: RawRows, sifted: SiftedRows, timeframe: Timeframe
) -> tuple[IntervalSet, tuple[Around, ...]]:
    """For each row that may stand for any minute, the candles before and after it.

    Where rows stand in no order, a place tells nothing: it may be of any silence between candles,
    which come first, and of those at the block's edges.
    """
    good = sifted.candles["open_time_ms"].implode()
    time = pl.col("open_time_ms")
    around = rows.frame.select(
        pl.when(time.is_in(good)).then(time).alias("candle"),
        is_loose=time.is_null() | (time % timeframe.duration_ms != 0),
    ).with_columns(before=pl.col("candle").forward_fill(), after=pl.col("candle").backward_fill())
    placed = around["candle"].drop_nulls()
    if placed.is_sorted() or placed.is_sorted(descending=True):
        loose = around.filter("is_loose").select("before", "after").unique()
        return EMPTY, tuple(loose.iter_rows())
    length_ms = timeframe.duration_ms
    neighbours = pairwise(sifted.candles["open_time_ms"])
    silences = ((one + length_ms, other) for one, other in neighbours if other - one > length_ms)
    return IntervalSet(silences), ((None, None),)
