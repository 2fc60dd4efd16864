"""Imports archive files into the store, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import polars as pl

from candle_ingestor.archives.digests import require_checksum, sha256_of
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.ingest.import_finding import FoundFile
from candle_ingestor.ingest.import_report import MOST_DIFFERENCES_TOLD, Differences, FileReport
from candle_ingestor.ingest.sources.archive_content import (
    ArchiveContent,
    ArchivePart,
    judge_archive,
    log_bad_rows,
)
from candle_ingestor.ledger.comparison import compare
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import VALUE_COLUMNS
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.imported_file import FileStatus, ImportedFile, KnownFiles
from candle_ingestor.model.intervals import EMPTY, END_OF_TIME_MS, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, shortened
from candle_ingestor.model.times import minute_text
from candle_ingestor.operations.progress import Progress
from candle_ingestor.stores.base import StoreRefusedError

log = logging.getLogger(__name__)

STOPPED = "the import was stopped before; the same command goes on from there"

_LONGEST_ERROR = 500
_PROGRESS = "kB"


@dataclass(frozen=True)
class ImportRules:
    """How files are imported.

    Attributes:
        settle_seconds: of rule T1.
        refetch_last_candles: of rule T2.
        skips_bad_rows: whether a file with bad rows is used for the rest.
        prefers_archive: whether a file's candle replaces one that the endpoint answered.
        writes: whether the store is changed; without it the reports say what would be.
    """

    settle_seconds: float
    refetch_last_candles: int = 0
    skips_bad_rows: bool = False
    prefers_archive: bool = False
    writes: bool = True


class _StoppedError(Exception):
    """The import is to stop while a file is judged."""


@dataclass
class Importer:
    """Imports files over a ledger.

    A file that was imported before is known by its SHA-256. Each part of a file is written with
    what it covers (rule C1), and its record when all of it is, so that an import that was cut short
    goes on with the file that it was at.
    """

    ledger: Ledger
    known: KnownFiles
    rules: ImportRules
    now_ms: Callable[[], int]
    progress: Progress
    is_to_stop: Callable[[], bool] = lambda: False
    _read_bytes: float = 0.0

    def import_all(self, found: Sequence[FoundFile]) -> Iterator[FileReport]:
        """Imports these files in their order, and reports each as soon as it is done.

        Raises:
            StoreError: if the store fails.
        """
        expected = _kilobytes(sum(each.file.size_bytes for each in found))
        self.progress.begin("Importing", {_PROGRESS: expected} if expected else None)
        self._read_bytes = 0.0
        for container, files in groupby(found, key=lambda each: each.file.container):
            yield from self._import_container(container, list(files))

    def _import_container(self, path: Path, found: Sequence[FoundFile]) -> Iterator[FileReport]:
        self.progress.note(_PROGRESS, path.name)
        sha256 = None
        try:
            if not self.is_to_stop():
                sha256 = sha256_of(path, self.is_to_stop)
            if sha256 is not None:
                require_checksum(path, sha256)
        except ArchiveError as error:
            for each in found:
                yield self._kept(_failed(each, sha256, error))
            return
        for each in found:
            if sha256 is None or self.is_to_stop():
                yield _report(each, sha256, FileStatus.NOT_DONE, error=STOPPED)
                continue
            end_bytes = self._read_bytes + each.file.size_bytes
            report = self._import_file(each, sha256)
            is_work = report.status is not FileStatus.UNCHANGED
            self._advance(end_bytes - self._read_bytes, is_work=is_work)
            yield report

    def _import_file(self, found: FoundFile, sha256: str) -> FileReport:
        file, series = found.file, found.described.series
        read_as = found.described.read_as
        before = self.known.find(sha256, file.name, file.size_bytes, series, read_as)
        if before is not None and not (self.rules.prefers_archive and before.differing):
            report = _report(found, sha256, FileStatus.UNCHANGED)
            return replace(
                report, rows=before.rows, first_ms=before.first_ms, last_ms=before.last_ms
            )
        try:
            return self._kept(self._import_changed(found, sha256))
        except _StoppedError:
            return _report(found, sha256, FileStatus.NOT_DONE, error=STOPPED)
        except ArchiveError as error:
            return self._kept(_failed(found, sha256, error))

    def _import_changed(self, found: FoundFile, sha256: str) -> FileReport:
        file, series = found.file, found.described.series
        derivation = self.ledger.record(series).derivation
        if derivation is not None:
            raise ArchiveError(
                f"{series} is put together from {derivation.source.timeframe} candles "
                "(--derived_timeframes); import the file into another store"
            )
        closed_end_ms = series.timeframe.closed_end_ms(self.now_ms(), self.rules.settle_seconds)
        content = judge_archive(file, found.described, closed_end_ms, self._note_read)
        report = replace(
            _report(found, sha256, FileStatus.IMPORTED),
            rows=content.rows,
            first_ms=content.first_ms,
            last_ms=content.last_ms,
            bad_rows=content.bad_rows,
            bad_row_count=content.bad_row_count,
        )
        log_bad_rows(content)
        if content.bad_rows and not self.rules.skips_bad_rows:
            rows = counted(content.bad_row_count, "row")
            why = f"{rows} of it cannot be used; the first is {content.bad_rows[0]}"
            advice = "mend the file, or use the rest with --skip_bad_rows"
            return replace(report, status=FileStatus.FAILED, error=f"{why}; {advice}")
        self._require_retention(content)
        new = 0
        for part in content.parts():
            if self.is_to_stop():
                return replace(report, status=FileStatus.NOT_DONE, new=new, error=STOPPED)
            new += self._store(series, part, report.differences)
            # Of a long file the next part is as large, and this one is not needed soon.
            self.ledger.let_go(series, IntervalSet((part.span,)))
            self._advance(part.size_bytes / 2)
        if report.differences.count:
            self._tell_of_differences(report)
        return replace(report, new=new)

    def _require_retention(self, content: ArchiveContent) -> None:
        try:
            self.ledger.store.require_retention(content.covers.start_ms, self.now_ms())
        except StoreRefusedError as error:
            raise ArchiveError(str(error)) from error

    def _store(self, series: Series, part: ArchivePart, differences: Differences) -> int:
        """Writes a part, and returns how many candles of it are new."""
        record = self.ledger.record(series)
        span = IntervalSet((part.span,))
        from_exchange = record.covered - record.coverage.origins.get(Origin.ARCHIVE, EMPTY)
        answered_before = span & from_exchange - part.rejected
        self._compare(series, part.candles, answered_before, differences)
        # A bad row takes nothing back that is known.
        taken = span - (part.rejected & record.covered)
        if not self.rules.prefers_archive:
            taken = taken - answered_before
        answered = taken - part.rejected
        candles = candles_within(part.candles, answered)
        if not self.rules.writes:
            return candles_within(candles, answered - record.covered).height
        if not taken:
            return 0
        (kept,) = self.ledger.replace(
            [
                Replacement(
                    series,
                    taken,
                    candles,
                    answered,
                    answered & self._too_soon(series),
                    {GapReason.REJECTED: taken & part.rejected},
                    origin=Origin.ARCHIVE,
                )
            ]
        )
        return kept.new

    def _too_soon(self, series: Series) -> IntervalSet:
        """The candles that exchanges still revise (rule T2)."""
        revised_ms = self.rules.refetch_last_candles * series.timeframe.duration_ms
        return IntervalSet.of(series.timeframe.floor_ms(self.now_ms() - revised_ms), END_OF_TIME_MS)

    def _compare(
        self,
        series: Series,
        candles: pl.DataFrame,
        answered_before: IntervalSet,
        differences: Differences,
    ) -> None:
        if not answered_before:
            return
        stored = self.ledger.candles_in(series, answered_before)
        shown = candles_within(candles, answered_before)
        found = compare(shown, stored)
        times = list(found.deleted)
        if found.candles is not None:
            times += found.candles["open_time_ms"].to_list()
        differences.count += len(times)
        room = MOST_DIFFERENCES_TOLD - len(differences.first)
        for time_ms in sorted(times)[: max(room, 0)]:
            differences.first.append(
                f"{minute_text(time_ms)}: the file has {_candle_words(shown, time_ms)}, the "
                f"exchange answered {_candle_words(stored, time_ms)}"
            )

    def _tell_of_differences(self, report: FileReport) -> None:
        kept = "the file's are kept" if self.rules.prefers_archive else "those are kept"
        log.warning(
            "%s: %s from what the exchange's candle endpoint answered; %s (--prefer). First: %s",
            report.path,
            counted(report.differences.count, "candle differs", "candles differ"),
            kept,
            "; ".join(report.differences.first),
        )

    def _kept(self, report: FileReport) -> FileReport:
        """The report, once the store has its record."""
        is_done = report.status in (FileStatus.IMPORTED, FileStatus.FAILED)
        if report.status is FileStatus.FAILED:
            log.error("%s was not imported: %s", report.path, report.error)
        if self.rules.writes and is_done and report.sha256 is not None:
            record = ImportedFile(
                path=report.path,
                sha256=report.sha256,
                size_bytes=report.size_bytes,
                series=report.series,
                status=report.status,
                read_as=report.read_as,
                rows=report.rows,
                new=report.new,
                first_ms=report.first_ms,
                last_ms=report.last_ms,
                differing=0 if self.rules.prefers_archive else report.differences.count,
                imported_ms=self.now_ms(),
                error=report.error and shortened(report.error, _LONGEST_ERROR),
            )
            self.ledger.store.write_imported_files([record])
            self.known.add(record)
        return report

    def _note_read(self, size_bytes: int) -> None:
        if self.is_to_stop():
            raise _StoppedError
        # Half of the way is reading, the other half is storing.
        self._advance(size_bytes / 2)

    def _advance(self, size_bytes: float, *, is_work: bool = True) -> None:
        before = _kilobytes(self._read_bytes)
        self._read_bytes += size_bytes
        self.progress.advance(_PROGRESS, _kilobytes(self._read_bytes) - before, is_work=is_work)


def _report(
    found: FoundFile, sha256: str | None, status: FileStatus, error: str | None = None
) -> FileReport:
    file, series = found.file, found.described.series
    read_as = found.described.read_as
    return FileReport(file.path, file.size_bytes, status, sha256, series, read_as, error=error)


def _failed(found: FoundFile, sha256: str | None, error: ArchiveError) -> FileReport:
    return _report(found, sha256, FileStatus.FAILED, str(error))


def _candle_words(candles: pl.DataFrame, time_ms: int) -> str:
    found = candles.filter(pl.col("open_time_ms") == time_ms).select(VALUE_COLUMNS)
    return "no candle" if found.is_empty() else "/".join(f"{value:g}" for value in found.row(0))


def _kilobytes(size_bytes: float) -> int:
    return round(size_bytes / 1000)
