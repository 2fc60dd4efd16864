"""What one archive file says of its series, judged row by row before any of it is believed (M8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from candle_ingestor.archives.containers import CandleFile
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.archives.reader import read_rows
from candle_ingestor.archives.rows import Line
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.ingest.sources.sift import SiftedRows, sift
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import minute_text

MOST_CANDLES_HELD = 1_000_000
"""About 50 MB. A file of more is read twice: to be judged, and to be stored."""

MOST_BAD_ROWS_TOLD = 20


@dataclass(frozen=True)
class BadRow:
    """A row that is no candle, or not one of its file."""

    line: int
    why: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line:,}: {self.why}: {quoted(self.text, 100)}"


@dataclass(frozen=True)
class ArchivePart:
    """A span of a file, and all that it shows there.

    Attributes:
        candles: as EXCHANGE_CANDLES, ascending.
        rejected: the part of the span that bad rows leave open.
        size_bytes: what was read for it.
    """

    span: Interval
    candles: pl.DataFrame
    rejected: IntervalSet
    size_bytes: int


@dataclass(frozen=True)
class ArchiveContent:
    """A judged file.

    Attributes:
        covers: the closed time that it covers (rule T1), bad rows or not; one interval or none.
        rows: how many candles it has.
        first_ms, last_ms: open times of the first and the last one.
        bad_rows: the first ones, in the file's order; `bad_row_count` of them all.
        rejected: what bad rows leave open of what it covers.
    """

    file: CandleFile
    described: Described
    covers: IntervalSet
    rows: int
    first_ms: int
    last_ms: int
    bad_rows: tuple[BadRow, ...]
    bad_row_count: int
    rejected: IntervalSet
    _spans: tuple[Interval | None, ...]
    _blocks: tuple[_Block, ...] | None

    @property
    def answered(self) -> IntervalSet:
        """What the file knows."""
        return self.covers - self.rejected

    def parts(self) -> Iterator[ArchivePart]:
        """The file's content in pieces of bounded size, which together are what it covers.

        Raises:
            ArchiveError: if it has to be read again, and that fails or shows something else.
        """
        again = self._blocks is None
        closed_end_ms = self.covers.end_ms
        blocks = _read(self.file, self.described, closed_end_ms) if again else self._blocks or ()
        number = 0
        for number, block in enumerate(blocks, start=1):
            span = self._spans[number - 1] if number <= len(self._spans) else None
            if span is None:
                continue
            if not candles_within(block.candles, IntervalSet((span,))).equals(block.candles):
                raise self._changed()
            rejected = self.rejected & IntervalSet((span,))
            yield ArchivePart(span, block.candles, rejected, block.size_bytes)
        if number != len(self._spans):
            raise self._changed()

    def _changed(self) -> ArchiveError:
        return ArchiveError("it changed while it was read; import it again when it is whole")


@dataclass(frozen=True)
class _Block:
    """One block of a file. `loose` are spans that rows without a place of their own leave open:

    from the candle before to the candle after, None where that is in another block.
    """

    candles: pl.DataFrame
    bad_rows: tuple[BadRow, ...]
    rejected: IntervalSet
    loose: tuple[tuple[int | None, int | None], ...]
    size_bytes: int


@dataclass
class _Totals:
    rows: int = 0
    bad_row_count: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    rejected: IntervalSet = EMPTY


def judge_archive(
    file: CandleFile,
    described: Described,
    closed_end_ms: int,
    on_read: Callable[[int], object] = lambda _: None,
    most_held: int = MOST_CANDLES_HELD,
) -> ArchiveContent:
    """Reads and judges the whole file.

    Args:
        closed_end_ms: the end of the newest candle that may be believed (rule T1).
        on_read: hears of the bytes that were read.
        most_held: a file of more candles than this is read again when its parts are asked for.

    Raises:
        ArchiveError: if the file cannot be read, holds no closed candle, or its rows stand in no
            order that can be followed.
    """
    timeframe = described.series.timeframe
    totals = _Totals()
    ranges: list[Interval | None] = []
    loose: list[tuple[Interval, tuple[int | None, int | None]]] = []
    held: list[_Block] | None = []
    for block in _read(file, described, closed_end_ms):
        on_read(block.size_bytes)
        totals.rows += block.candles.height
        totals.bad_row_count += len(block.bad_rows)
        totals.bad_rows += block.bad_rows[: MOST_BAD_ROWS_TOLD - len(totals.bad_rows)]
        totals.rejected = totals.rejected | block.rejected
        own = _range(block.candles, timeframe)
        ranges.append(own)
        if own is not None:
            loose += [(own, around) for around in block.loose]
        elif block.loose:
            raise ArchiveError(
                f"{block.bad_rows[0]}; nothing near it is a candle either, so that its columns are "
                "not what they were taken for"
            )
        if held is not None:
            held.append(block)
        if totals.rows > most_held:
            held = None
    known = sorted(each for each in ranges if each is not None)
    if not known:
        raise _no_candle(totals)
    for before, after in pairwise(known):
        if after.start_ms < before.end_ms:
            raise ArchiveError(
                f"its rows are out of order around {minute_text(after.start_ms)}, and too many to "
                "be sorted here; sort the file by time"
            )
    covers = _covers(described, known, closed_end_ms)
    spans = _spans(ranges, known, covers)
    rejected = totals.rejected
    for own, around in loose:
        rejected = rejected | _loose_span(around, own, known, covers, timeframe)
    return ArchiveContent(
        file,
        described,
        IntervalSet((covers,)),
        totals.rows,
        known[0].start_ms,
        known[-1].end_ms - timeframe.duration_ms,
        tuple(totals.bad_rows),
        totals.bad_row_count,
        rejected & IntervalSet((covers,)),
        tuple(spans),
        None if held is None else tuple(held),
    )


def _read(file: CandleFile, described: Described, closed_end_ms: int) -> Iterator[_Block]:
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
        loose = _loose(block.rows, sifted, timeframe) if sifted.has_unplaceable else ()
        yield _Block(closed, tuple(bad), sifted.rejected_minutes, loose, block.size_bytes)


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


def _loose(
    rows: RawRows, sifted: SiftedRows, timeframe: Timeframe
) -> tuple[tuple[int | None, int | None], ...]:
    """For each row that may stand for any minute, the candles before and after it."""
    good = sifted.candles["open_time_ms"].implode()
    time = pl.col("open_time_ms")
    around = (
        rows.frame.select(
            pl.when(time.is_in(good)).then(time).alias("candle"),
            is_loose=time.is_null() | (time % timeframe.duration_ms != 0),
        )
        .with_columns(
            before=pl.col("candle").forward_fill(), after=pl.col("candle").backward_fill()
        )
        .filter("is_loose")
    )
    return tuple(around.select("before", "after").unique().iter_rows())


def _loose_span(
    around: tuple[int | None, int | None],
    own: Interval,
    known: list[Interval],
    covers: Interval,
    timeframe: Timeframe,
) -> IntervalSet:
    """The silence around a row without a place; where it is at an edge of its block, at both."""
    before_ms, after_ms = around
    if before_ms is not None and after_ms is not None:
        first_ms, last_ms = sorted((before_ms, after_ms))
        return IntervalSet.of(first_ms + timeframe.duration_ms, last_ms)
    ends = [each.end_ms for each in known if each.end_ms <= own.start_ms]
    starts = [each.start_ms for each in known if each.start_ms >= own.end_ms]
    before = Interval(max(ends, default=covers.start_ms), own.start_ms)
    after = Interval(own.end_ms, min(starts, default=covers.end_ms))
    return IntervalSet((before, after))


def _range(candles: pl.DataFrame, timeframe: Timeframe) -> Interval | None:
    if candles.is_empty():
        return None
    times = candles["open_time_ms"]
    return Interval(times[0], times[-1] + timeframe.duration_ms)


def _covers(described: Described, known: list[Interval], closed_end_ms: int) -> Interval:
    """The named span, if it is over. Of one that is not, no file can know the rest."""
    if described.span is None:
        return Interval(known[0].start_ms, known[-1].end_ms)
    timeframe = described.series.timeframe
    start_ms, end_ms = described.span
    is_over = end_ms <= closed_end_ms
    return Interval(
        timeframe.ceil_ms(start_ms), timeframe.floor_ms(end_ms) if is_over else known[-1].end_ms
    )


def _spans(
    ranges: list[Interval | None], known: list[Interval], covers: Interval
) -> list[Interval | None]:
    """For each block with candles the time from there to the next one's, in the file's order."""
    edges = [covers.start_ms, *(each.start_ms for each in known[1:]), covers.end_ms]
    by_start = dict(zip(known, (Interval(*pair) for pair in pairwise(edges)), strict=True))
    return [None if each is None else by_start[each] for each in ranges]


def _no_candle(totals: _Totals) -> ArchiveError:
    if totals.bad_rows:
        return ArchiveError(f"none of its rows is a candle; {totals.bad_rows[0]}")
    return ArchiveError(
        "it holds no candle that is closed by now; fetch it again, and see that the unit of its "
        "times is the right one"
    )
