"""Removal of a series' months, whole files only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from candle_ingestor.model.months import Month
from candle_ingestor.partitions.files import (
    month_files,
    remove_file,
    remove_folder,
    remove_temporary_files,
)
from candle_ingestor.partitions.manifest import FILE_NAME, read_manifest, write_manifest
from candle_ingestor.partitions.unfinished import UnfinishedNote


def files_before(folder: Path, before_ms: int | None) -> list[Path]:
    """The files of a series' folder that `remove_months` would remove, ascending.

    Raises:
        PartitionError: if the folder cannot be read.
    """
    found = month_files(folder)
    if before_ms is None:
        return found
    return [path for path in found if Month.parse(path.stem).start_ms < before_ms]


def remove_months(folder: Path, before_ms: int | None) -> list[Path]:
    """Removes the months that begin before the time, also complete ones; None removes all.

    The manifest is the first to lose them, so that no reader ever misses a file that it lists.
    Without a time the manifest itself goes, and the folder with it where nothing else is in it.

    Returns:
        The files that were removed.

    Raises:
        PartitionError: if the folder cannot be read or written; the same call then goes on.
    """
    if not folder.is_dir():
        return []
    if before_ms is None:
        remove_file(folder / FILE_NAME)
        UnfinishedNote(folder).remove()
        remove_temporary_files(folder)
    else:
        manifest = read_manifest(folder)
        if manifest is not None:
            kept = {m: entry for m, entry in manifest.months.items() if m.start_ms >= before_ms}
            if len(kept) < len(manifest.months):
                write_manifest(folder, replace(manifest, months=kept))
        UnfinishedNote(folder).forget_before(before_ms)
    removed = files_before(folder, before_ms)
    for path in removed:
        remove_file(path)
    for year in {path.parent for path in removed}:
        remove_folder(year)
    if before_ms is None:
        remove_folder(folder)
    return removed
