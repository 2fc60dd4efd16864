"""The note of which files are about to be replaced or removed, for the export after a killed job.

It is written before a file is replaced and removed after the manifest. A month is unfinished while
the manifest does not state the digest that is noted for it, so that a note that outlives its export
does no harm. A month that is noted as removed has no file any more once the manifest has lost it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from candle_ingestor.model.months import Month
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.files import read_file, remove_file, replace_file
from candle_ingestor.partitions.manifest import Manifest

_FILE_NAME = ".unfinished_export"
_REMOVED = "removed"


class UnfinishedNote:
    """The note in a series' folder.

    Raises:
        PartitionError: from every method, if the note cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE_NAME
        self._announced = self._read()

    def months(self, manifest: Manifest) -> set[Month]:
        """Months whose file may be other than the manifest says."""
        return {
            month
            for month, sha256 in self._announced.items()
            if sha256 != _REMOVED
            and (month not in manifest.months or manifest.months[month].sha256 != sha256)
        }

    def removed(self) -> set[Month]:
        """Months that were about to be removed."""
        return {month for month, sha256 in self._announced.items() if sha256 == _REMOVED}

    def announce(self, month: Month, sha256: str) -> None:
        """Notes that the month's file is about to get this digest."""
        self._announce({month: sha256})

    def announce_removal(self, months: Iterable[Month]) -> None:
        """Notes that these months are about to lose their files."""
        self._announce(dict.fromkeys(months, _REMOVED))

    def forget_before(self, time_ms: int) -> None:
        """Hears that no file is left of the months that begin before the time."""
        kept = {m: sha256 for m, sha256 in self._announced.items() if m.start_ms >= time_ms}
        if kept and kept != self._announced:
            replace_file(self._path, _text(kept).encode("ascii"))
            self._announced = kept
        elif not kept:
            self.remove()

    def remove(self) -> None:
        """Says that manifest and files agree."""
        remove_file(self._path)
        self._announced = {}

    def _announce(self, digests: Mapping[Month, str]) -> None:
        announced = {**self._announced, **digests}
        if announced != self._announced:
            replace_file(self._path, _text(announced).encode("ascii"))
            self._announced = announced

    def _read(self) -> dict[Month, str]:
        content = read_file(self._path)
        if content is None:
            return {}
        announced = {}
        try:
            for line in content.decode("ascii").splitlines():
                month, _, sha256 = line.partition(" ")
                announced[Month.parse(month)] = sha256
        except ValueError as error:
            raise PartitionError(
                f"{self._path} does not list months: {error}; remove the folder "
                f"{self._path.parent} to have it exported anew"
            ) from error
        return announced


def _text(announced: Mapping[Month, str]) -> str:
    return "".join(f"{month} {sha256}\n" for month, sha256 in sorted(announced.items()))
