"""Which files of candles lie in the paths that a user names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from candle_ingestor.archives.containers import CandleFile, files_in
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import ArchiveError, NotACandleFileError
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.ingest.import_report import FileReport
from candle_ingestor.model.imported_file import FileStatus
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class FoundFile:
    """A file of candles, and what its name says of it."""

    file: CandleFile
    described: Described


@dataclass
class FoundFiles:
    """What lies in the paths that were named.

    Attributes:
        files: those to import, in their order.
        reports: of those that are not imported: passed over, or unreadable.
        left_out: how many are of other symbols or lengths of candles than those that are wanted.
        others: whose candles these are.
    """

    files: list[FoundFile] = field(default_factory=list)
    reports: list[FileReport] = field(default_factory=list)
    left_out: int = 0
    others: set[Series] = field(default_factory=set)


def find_files(
    paths: Sequence[Path],
    naming: Naming,
    symbols: Collection[Symbol] | None = None,
    timeframe: Timeframe | None = None,
) -> FoundFiles:
    """What these archive files hold; of a symbol or timeframe that is given only that."""
    found = FoundFiles()
    for path in paths:
        try:
            files = files_in(path)
        except ArchiveError as error:
            found.reports.append(FileReport(str(path), 0, FileStatus.FAILED, error=str(error)))
            continue
        if not files:
            why = "it holds no CSV file"
            found.reports.append(FileReport(str(path), 0, FileStatus.PASSED_OVER, error=why))
        for file in files:
            try:
                described = naming.described(file.names)
            except NotACandleFileError as error:
                status, size = FileStatus.PASSED_OVER, file.size_bytes
                found.reports.append(FileReport(file.path, size, status, error=str(error)))
                continue
            series = described.series
            is_wanted = symbols is None or series.symbol in symbols
            if is_wanted and timeframe in (None, series.timeframe):
                found.files.append(FoundFile(file, described))
            else:
                found.left_out += 1
                found.others.add(series)
    return found
