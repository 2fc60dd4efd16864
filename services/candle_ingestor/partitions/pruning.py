"""Removal of a series' months, whole files only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.files import (
    former_path,
    month_files,
    remove_file,
    remove_folder,
    remove_leftovers,
)
from candle_ingestor.partitions.formats.choosing import FORMATS, formats_of
from candle_ingestor.partitions.formats.layout import Layout
from candle_ingestor.partitions.manifest import Manifest, read_manifest, write_manifest
from candle_ingestor.partitions.unfinished import UnfinishedNote


class SeriesFolder(NamedTuple):
    """A folder of a series, and how its format names what is in it."""

    path: Path
    layout: Layout


def series_folders(data_root: Path, series: Series) -> tuple[SeriesFolder, ...]:
    """Where a series is below a data root, in each format that it was exported in."""
    return tuple(
        SeriesFolder(FORMATS[name].folder_of(data_root, series), FORMATS[name])
        for name in formats_of(data_root, series)
    )


def files_before(folder: Path, layout: Layout, before_ms: int | None) -> dict[Month, Path]:
    """The files of a series' folder that `remove_months` would remove, ascending.

    Raises:
        PartitionError: if the folder cannot be read.
    """
    found = month_files(folder, layout)
    if before_ms is None:
        return found
    end_ms = _removed_until_ms(read_manifest(folder, layout), before_ms)
    return {month: path for month, path in found.items() if month.start_ms < end_ms}


def remove_months(folder: Path, layout: Layout, before_ms: int | None) -> list[Path]:
    """Removes the months that begin before the time, also complete ones; None removes all.

    The month in which the time lies stays where its manifest says that it has nothing from before.
    The manifest is the first to lose the others, so that no reader ever misses a file that it
    lists. Without a time the manifest itself goes, and the folder with it where nothing else is in
    it.

    Returns:
        The files that were removed.

    Raises:
        PartitionError: if the folder cannot be read or written; the same call then goes on.
    """
    if not folder.is_dir():
        return []
    files = files_before(folder, layout, before_ms)
    note = UnfinishedNote(folder)
    # Else an export after a killed removal would take them for foreign files.
    note.announce_removal(files)
    removed = list(files.values())
    if before_ms is None:
        remove_file(folder / layout.manifest_name)
    else:
        _forget_months(folder, layout, before_ms)
    for path in removed:
        remove_file(path)
        remove_file(former_path(path))
    if before_ms is None:
        remove_leftovers(folder)
        note.remove()
    else:
        note.forget_before(_removed_until_ms(read_manifest(folder, layout), before_ms))
    between = {each for path in removed for each in path.parents if folder in each.parents}
    if before_ms is None:
        # A folder may have been made for a file that was never written.
        between |= {each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()}
    for each in sorted(between, reverse=True):
        remove_folder(each)
    if before_ms is None:
        remove_folder(folder)
    return removed


def _forget_months(folder: Path, layout: Layout, before_ms: int) -> None:
    manifest = read_manifest(folder, layout)
    end_ms = _removed_until_ms(manifest, before_ms)
    if manifest is not None:
        kept = {m: entry for m, entry in manifest.months.items() if m.start_ms >= end_ms}
        if len(kept) < len(manifest.months):
            write_manifest(folder, layout, replace(manifest, months=kept))


def _removed_until_ms(manifest: Manifest | None, before_ms: int) -> int:
    """The months that begin before it go: the one in which `before_ms` lies may be right."""
    month = Month.of(before_ms)
    entry = None if manifest is None else manifest.months.get(month)
    if manifest is None or entry is None:
        return before_ms
    cut = IntervalSet.of(manifest.series.timeframe.ceil_ms(month.start_ms), before_ms)
    is_cut = not cut - IntervalSet(gap.interval for gap in entry.gaps)
    return month.start_ms if is_cut else before_ms
