"""Exchanges' published history files in a folder, as a source of candles."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from candle_ingestor.archives.containers import CandleFile, files_in
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.digests import has_checksum, require_checksum, sha256_of
from candle_ingestor.archives.errors import ArchiveError, NotACandleFileError
from candle_ingestor.archives.finding import archives_below
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.exchanges.errors import ExchangeError, PermanentExchangeError
from candle_ingestor.ingest.sources.archive_content import ArchiveContent, judge_archive
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe

log = logging.getLogger(__name__)

PAGE_CANDLES = 50_000
"""What a run asks for at once is many of these, since a file is read from its beginning."""


@dataclass
class ArchiveIndex:
    """Which files of a folder hold what, told by their names; contents are judged when asked for.

    Attributes:
        now_ms, settle_seconds: of rule T1.
        skips_bad_rows: whether a file with bad rows is used for the rest.
        problems: why files of a series that was asked for cannot be used, by path.
    """

    now_ms: Callable[[], int]
    settle_seconds: float
    skips_bad_rows: bool
    files: Mapping[Series, Sequence[tuple[CandleFile, Described]]]
    problems: dict[str, str] = field(default_factory=dict)
    _contents: dict[str, ArchiveContent | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _verified: set[Path] = field(default_factory=set)

    @classmethod
    def of_folder(
        cls,
        folder: Path,
        naming: Naming,
        now_ms: Callable[[], int],
        settle_seconds: float,
        *,
        skips_bad_rows: bool,
    ) -> ArchiveIndex:
        """Looks through the folder and all below it. Files that are no archives are passed over.

        Raises:
            ConfigurationError: if the folder is not there or cannot be looked into.
        """
        found: dict[Series, list[tuple[CandleFile, Described]]] = {}
        problems: dict[str, str] = {}
        for path in archives_below([folder]):
            try:
                files = files_in(path)
            except ArchiveError as error:
                problems[str(path)] = str(error)
                continue
            for file in files:
                try:
                    described = naming.described(file.names)
                except NotACandleFileError:
                    continue
                found.setdefault(described.series, []).append((file, described))
        return cls(now_ms, settle_seconds, skips_bad_rows, found, problems)

    def offers(self, series: Series) -> IntervalSet:
        """What the files may have of the series.

        Of a file whose name states a span it is that; another one is read to know what it covers.
        """
        offered = EMPTY
        for file, described in self.files.get(series, ()):
            if described.span is not None and file.path not in self._contents:
                closed_end_ms = self._closed_end_ms(series)
                named = IntervalSet((described.span,)) & IntervalSet.of(0, closed_end_ms)
                offered = offered | named
                continue
            content = self._content(file, described)
            offered = offered | (EMPTY if content is None else content.covers)
        return offered

    def contents(self, series: Series, interval: Interval) -> list[ArchiveContent]:
        """The usable files that say anything of the interval."""
        found = []
        for file, described in self.files.get(series, ()):
            if described.span is not None and not _meet(described.span, interval):
                continue
            content = self._content(file, described)
            if content is not None and content.covers & IntervalSet((interval,)):
                found.append(content)
        return found

    def problems_of(self, series: Series, interval: Interval) -> list[str]:
        """Why files that would say something of the interval cannot be used."""
        return [
            f"{file.path}: {self.problems[file.path]}"
            for file, described in self.files.get(series, ())
            if file.path in self.problems
            and (described.span is None or _meet(described.span, interval))
        ]

    def _content(self, file: CandleFile, described: Described) -> ArchiveContent | None:
        # Exchanges' files are read side by side.
        with self._lock:
            if file.path not in self._contents:
                self._contents[file.path] = self._judged(file, described)
            return self._contents[file.path]

    def _judged(self, file: CandleFile, described: Described) -> ArchiveContent | None:
        try:
            self._require_published(file.container)
            closed_end_ms = self._closed_end_ms(described.series)
            content = judge_archive(file, described, closed_end_ms, most_held=0)
        except ArchiveError as error:
            self.problems[file.path] = str(error)
            log.error("%s: %s", file.path, error)
            return None
        for row in content.bad_rows:
            log.warning("%s, %s", file.path, row)
        if content.bad_rows and not self.skips_bad_rows:
            self.problems[file.path] = f"{content.bad_row_count:,} of its rows are no candles"
            log.error("%s: %s; --skip_bad_rows uses the rest", file.path, self.problems[file.path])
            return None
        return content

    def _require_published(self, path: Path) -> None:
        if path not in self._verified and has_checksum(path):
            digest = sha256_of(path)
            assert digest is not None
            require_checksum(path, digest)
        self._verified.add(path)

    def _closed_end_ms(self, series: Series) -> int:
        return series.timeframe.closed_end_ms(self.now_ms(), self.settle_seconds)


@dataclass(frozen=True)
class ArchiveCandles:
    """A FurtherSource: one exchange's candles in files of an ArchiveIndex."""

    exchange: str
    index: ArchiveIndex
    is_to_stop: Callable[[], bool] = lambda: False
    origin: Origin = Origin.ARCHIVE
    is_paced: bool = False
    page_candles: int = PAGE_CANDLES
    refusal: ExchangeError | None = None

    @property
    def timeframes(self) -> Sequence[str]:
        own = {series.timeframe for series in self.index.files if series.exchange == self.exchange}
        return [str(timeframe) for timeframe in sorted(own)]

    def seconds_per_request(self) -> float:
        return 0.0

    def reach_start_ms(self, timeframe: Timeframe) -> int | None:
        return None

    def offers(self, series: Series) -> IntervalSet:
        """What the files may have of the series."""
        return self.index.offers(series)

    async def pages(
        self, series: Series, interval: Interval, known: Known, counts: SourceCounts
    ) -> AsyncGenerator[Page]:
        """The interval, a page a part of a file, ascending.

        Of several files that know a minute the first one by name is taken. What none knows, though
        one was there for it, is `fetch_failed`; the minutes of bad rows are `rejected`.
        """
        done_ms = interval.start_ms
        pieces, rejected = await asyncio.to_thread(self._pieces, series, interval)
        for span, candles in pieces:
            if self.is_to_stop():
                return
            if span.start_ms > done_ms:
                yield self._unanswered(series, Interval(done_ms, span.start_ms), rejected, counts)
            done_ms = span.end_ms
            yield Page(span, candles, IntervalSet((span,)), origin=self.origin)
        if done_ms < interval.end_ms and not self.is_to_stop():
            yield self._unanswered(series, Interval(done_ms, interval.end_ms), rejected, counts)

    def _pieces(
        self, series: Series, interval: Interval
    ) -> tuple[list[tuple[Interval, pl.DataFrame]], IntervalSet]:
        """What files know of the interval, disjoint and ascending, and what bad rows leave open."""
        wanted = IntervalSet((interval,))
        rejected = EMPTY
        pieces = []
        for content in self.index.contents(series, interval):
            rejected = rejected | content.rejected
            mine = wanted & content.answered
            if not mine:
                continue
            try:
                parts = [part for part in content.parts() if mine & IntervalSet((part.span,))]
            except ArchiveError as error:
                self.index.problems[content.file.path] = str(error)
                continue
            wanted = wanted - mine
            pieces += [
                (span, candles_within(part.candles, IntervalSet((span,))))
                for part in parts
                for span in mine & IntervalSet((part.span,))
            ]
        return sorted(pieces, key=lambda piece: piece[0]), rejected & wanted

    def _unanswered(
        self, series: Series, span: Interval, rejected: IntervalSet, counts: SourceCounts
    ) -> Page:
        within = IntervalSet((span,))
        rejected = rejected & within
        counts.rejected += rejected.duration_ms // series.timeframe.duration_ms
        problems = self.index.problems_of(series, span)
        why = GapReason.FETCH_FAILED if problems else GapReason.BEYOND_REACH
        return Page(
            span,
            no_candles(series),
            EMPTY,
            reasons={why: within - rejected, GapReason.REJECTED: rejected},
            failure=PermanentExchangeError("; ".join(problems)) if problems else None,
            origin=self.origin,
        )


def _meet(one: Interval, other: Interval) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms
