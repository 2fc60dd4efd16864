"""What one archive file says of its series, put together from its judged blocks (M8)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from candle_ingestor.archives.containers import CandleFile
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.ingest.sources.archive_blocks import (
    ArchiveBlock,
    Around,
    BadRow,
    judged_blocks,
)
from candle_ingestor.ingest.sources.archive_spacing import Spacing
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.texts import counted
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import minute_text

log = logging.getLogger(__name__)

MOST_CANDLES_HELD = 1_000_000
"""About 50 MB. A file of more is read twice: to be judged, and to be stored."""

MOST_BAD_ROWS_TOLD = 20


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
    _blocks: tuple[ArchiveBlock, ...] | None

    @property
    def answered(self) -> IntervalSet:
        """What the file knows."""
        return self.covers - self.rejected

    def parts(self) -> Iterator[ArchivePart]:
        """The file's content in pieces of bounded size, which together are what it covers.

        Raises:
            ArchiveError: if it has to be read again, and that fails or shows something else.
        """
        blocks: Iterable[ArchiveBlock] | None = self._blocks
        if blocks is None:
            blocks = judged_blocks(self.file, self.described, self.covers.end_ms)
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
        ArchiveError: if the file cannot be read, holds no closed candle, is told to be of shorter
            candles than it has, or its rows stand in no order that can be followed.
    """
    timeframe = described.series.timeframe
    totals = _Totals()
    spacing = Spacing(timeframe, is_doubted=described.is_told)
    ranges: list[Interval | None] = []
    loose: list[tuple[Interval, Around]] = []
    held: list[ArchiveBlock] | None = []
    for block in judged_blocks(file, described, closed_end_ms):
        on_read(block.size_bytes)
        totals.rows += block.candles.height
        totals.bad_row_count += len(block.bad_rows)
        totals.bad_rows += block.bad_rows[: MOST_BAD_ROWS_TOLD - len(totals.bad_rows)]
        totals.rejected = totals.rejected | block.rejected
        spacing.see(block.candles)
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
    spacing.require_plausible()
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


def log_bad_rows(content: ArchiveContent) -> None:
    """Logs the first bad rows of a file, and how many there are besides."""
    for row in content.bad_rows:
        log.warning("%s, %s", content.file.path, row)
    more = content.bad_row_count - len(content.bad_rows)
    if more:
        log.warning("%s: and %s", content.file.path, counted(more, "more bad row"))


def _loose_span(
    around: Around,
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
        "it holds no candle that is closed by now; see that it is whole, that commas part its "
        "columns, and that the unit of its times is the right one"
    )
