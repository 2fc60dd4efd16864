"""What is known of a file that was imported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from candle_ingestor.model.series import Series


class FileStatus(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    PASSED_OVER = "passed_over"
    NOT_DONE = "not_done"


@dataclass(frozen=True)
class ImportedFile:
    """The record of one file and series, replaced by the next import of that path and series.

    Attributes:
        path: of the file, or of one in a zip: the zip's and the name in there.
        sha256: of the file on disk.
        size_bytes: of its rows.
        series: whose candles; None where that could not be told.
        status: `imported` or `failed`.
        read_as: what its columns and its span were taken for; empty where that is not known.
        rows: how many candles it has.
        new: how many of them the store did not have.
        first_ms, last_ms: open times of the first and the last one; None without one.
        differing: how many candles that the store had from the exchange's endpoint differ, and
            were left as they are.
        imported_ms: when.
        error: why it failed.
    """

    path: str
    sha256: str
    size_bytes: int
    series: Series | None
    status: FileStatus
    read_as: str = ""
    rows: int = 0
    new: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    differing: int = 0
    imported_ms: int = 0
    error: str | None = None


_Content = tuple[str, int, Series | None, str]


class KnownFiles:
    """The files that were imported before, looked up by what they are."""

    def __init__(self, files: Iterable[ImportedFile]) -> None:
        self._by_content: dict[_Content, list[ImportedFile]] = {}
        for file in files:
            self.add(file)

    def find(
        self, sha256: str, name: str, size_bytes: int, series: Series, read_as: str
    ) -> ImportedFile | None:
        """A record of these bytes under this name, in whatever folder, read in this way.

        `name` is the end of its path; of one of several in a zip the zip's and the path in there.
        """
        found = self._by_content.get((sha256, size_bytes, series, read_as), ())
        for file in reversed(found):
            if file.path == name or file.path.endswith(f"/{name}"):
                return file
        return None

    def add(self, file: ImportedFile) -> None:
        """Takes a record, of which only a successful import counts."""
        if file.status is FileStatus.IMPORTED:
            key = (file.sha256, file.size_bytes, file.series, file.read_as)
            self._by_content.setdefault(key, []).append(file)
