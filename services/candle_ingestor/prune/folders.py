"""Which folders below a data root have what a store exported of a series, and which do not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.manifest import read_manifest
from candle_ingestor.partitions.pruning import SeriesFolder, series_folders
from candle_ingestor.settle.exporting import target_of


class ForeignFolder(NamedTuple):
    """A folder in the place of a series: of another symbol, or of another store."""

    path: Path
    holds: Series


def folders_of(
    ledger: Ledger, series: Series, data_root: Path
) -> tuple[tuple[SeriesFolder, ...], tuple[ForeignFolder, ...]]:
    """The folders that this store exported the series to, and others that are in their place.

    Symbols of the same letters have the same folder (rule E1), and stores may share a data root.

    Raises:
        PartitionError: if a manifest cannot be read.
    """
    formats = exported_formats(ledger, [series], data_root)
    own, foreign = [], []
    for each in series_folders(data_root, series):
        manifest = read_manifest(*each)
        holds = series if manifest is None else manifest.series
        # Without a manifest it is what a run left that was killed in its first export.
        if holds == series and (manifest is None or each.layout.name in formats):
            own.append(each)
        else:
            foreign.append(ForeignFolder(each.path, holds))
    return tuple(own), tuple(foreign)


def exported_formats(
    ledger: Ledger, series: Iterable[Series], data_root: Path
) -> tuple[ExportFormat, ...]:
    """The formats in which this store exported any of the series below the data root."""
    exported = {target for each in series for target in ledger.record(each).exports.backlog}
    return tuple(
        name
        for name in ExportFormat
        if any(target_of(data_root, name, fill) in exported for fill in Fill)
    )


def not_rewritten(
    folders: Iterable[SeriesFolder], until_ms: int, left: Collection[Month]
) -> Iterator[Path]:
    """The files of the month in which the time lies that a prune removed, and wrote no more."""
    month = Month.of(until_ms)
    if month not in left or month.start_ms == until_ms:
        return
    for folder, layout in folders:
        manifest = read_manifest(folder, layout)
        path = folder / layout.month_file(month)
        if (manifest is None or month not in manifest.months) and not path.exists():
            yield path


def complete_months(
    ledger: Ledger, data_root: Path | None, series: Series, span: IntervalSet
) -> tuple[Month, ...]:
    """The complete months of what this store exported of a series that have some of `span`.

    Raises:
        PartitionError: if a manifest cannot be read.
    """
    if data_root is None or not span:
        return ()
    touched = set(months_of(span))
    found = set()
    own, _ = folders_of(ledger, series, data_root)
    for folder, layout in own:
        manifest = read_manifest(folder, layout)
        if manifest is not None:
            found |= {month for month, entry in manifest.months.items() if entry.complete}
    return tuple(sorted(found & touched))
