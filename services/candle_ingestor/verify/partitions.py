"""Whether a folder's files are what its manifest says, and what the store would export.

Kinds of differences: the manifest cannot be read (`bad_manifest`); a listed file is not there
(`missing_file`) or is another one (`wrong_digest`); the store would export other rows
(`other_rows`); manifest and rows disagree in counts, times or gaps (`other_facts`); a month was
exported and is not listed (`missing_month`); a file is there that is not listed (`unlisted_file`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.files import month_files, read_file
from candle_ingestor.partitions.formats.base import FileSubject, Format
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import (
    Manifest,
    MonthEntry,
    read_manifest,
    told_bytes_of,
)
from candle_ingestor.partitions.month_content import MonthMaker
from candle_ingestor.partitions.month_facts import facts_of
from candle_ingestor.partitions.unfinished import UnfinishedNote
from candle_ingestor.settle.exporting import target_of
from candle_ingestor.verify.findings import Check, Difference, Kind


@dataclass
class FolderChecked:
    """What was found in a series' folder of one format.

    Attributes:
        months: how many months were compared.
        pending: of how many of them only the file was compared: they wait for the next export, or
            the store was pruned of them.
    """

    series: Series
    file_format: ExportFormat
    folder: Path
    months: int = 0
    pending: int = 0
    differences: list[Difference] = field(default_factory=list)


def check_folder(
    ledger: Ledger,
    data_root: Path,
    file_format: ExportFormat,
    series: Series,
    within: IntervalSet,
    closed_end_ms: int,
) -> FolderChecked | None:
    """Compares the months that have a point in `within`; None where nothing was ever exported."""
    layout = FORMATS[file_format]
    folder = layout.folder_of(data_root, series)
    checked = FolderChecked(series, file_format, folder)
    exported = ledger.record(series).exports.backlog
    fills = {fill: target_of(data_root, file_format, fill) for fill in Fill}
    try:
        manifest = read_manifest(folder, layout)
        fill = None if manifest is None else manifest.fill
        backlog = next(
            (
                exported[target]
                for each, target in fills.items()
                if target in exported and fill in (each, None)
            ),
            None,
        )
        if manifest is None and backlog is None:
            return None
        if manifest is not None and manifest.series != series:
            raise PartitionError(f"{folder} holds {manifest.series}")
        _Folder(ledger, series, layout, folder, manifest, backlog, closed_end_ms, checked).check(
            within
        )
    except PartitionError as error:
        checked.differences.append(_difference(Kind.BAD_MANIFEST, series, None, str(error)))
    return checked


@dataclass
class _Folder:
    ledger: Ledger
    series: Series
    layout: Format
    folder: Path
    manifest: Manifest | None
    backlog: Mapping[Month, int] | None
    closed_end_ms: int
    checked: FolderChecked

    def check(self, within: IntervalSet) -> None:
        record = self.ledger.record(self.series)
        entries = self.manifest.months if self.manifest else {}
        unfinished = UnfinishedNote(self.folder).months(self.manifest) if self.manifest else set()
        lacking = self.backlog or {}
        left_until_ms = record.pruned_until_ms or 0
        for month, entry in sorted(entries.items()):
            if not within & IntervalSet((month.interval,)):
                continue
            self.checked.months += 1
            is_pending = month in unfinished or (month in lacking and not entry.complete)
            is_left = is_pending or (
                month.interval.end_ms <= left_until_ms
                and not record.covered & IntervalSet((month.interval,))
            )
            self.checked.pending += is_left
            if month not in unfinished:
                self._check_month(month, entry, compares_store=not is_left)
        if self.backlog is not None:
            self._check_unlisted_months(record, entries.keys() | lacking.keys(), within)
        for month, path in month_files(self.folder, self.layout).items():
            if month not in entries and month not in unfinished:
                words = f"{path} is in no manifest; remove it"
                self._add(Kind.UNLISTED_FILE, month, words)

    def _check_unlisted_months(
        self, record: SeriesRecord, told: Set[Month], within: IntervalSet
    ) -> None:
        closed = IntervalSet.of(0, self.closed_end_ms)
        for month in months_of(record.covered & closed & within):
            if month not in told:
                path = self.folder / self.layout.month_file(month)
                words = f"{path} was exported and is not in the manifest"
                self._add(Kind.MISSING_MONTH, month, words)

    def _check_month(self, month: Month, entry: MonthEntry, *, compares_store: bool) -> None:
        path = self.folder / self.layout.month_file(month)
        content = read_file(path)
        if content is None:
            self._add(Kind.MISSING_FILE, month, f"{path} is not there")
        elif hashlib.sha256(content[: told_bytes_of(entry, content)]).hexdigest() != entry.sha256:
            self._add(Kind.WRONG_DIGEST, month, f"{path} is not the file that was written")
        if compares_store:
            self._check_against_store(month, path, entry)

    def _check_against_store(self, month: Month, path: Path, entry: MonthEntry) -> None:
        assert self.manifest is not None
        until_ms = entry.known_until_ms
        if until_ms is None:
            until_ms = min(month.interval.end_ms, self.closed_end_ms)
        # A candle that is longer than what is left of the month belongs to it all the same.
        until_ms = self.series.timeframe.ceil_ms(until_ms)
        covered = self.ledger.record(self.series).covered & IntervalSet.of(0, until_ms)
        facts = facts_of([month], self.series, covered, {}, until_ms, EMPTY)[month]
        maker = MonthMaker(
            self.layout,
            FileSubject(self.series, self.manifest.digits, self.manifest.fill),
            lambda interval: self.ledger.candles(self.series, interval),
            covered,
        )
        made = maker.make(path, facts, entry, None).entry
        if made.sha256 != entry.sha256:
            what = "is marked complete, and " if entry.complete else ""
            words = f"{path} {what}has {entry.rows:,} rows, and the store would export others"
            if made.rows != entry.rows:
                words += f" ({made.rows:,})"
            self._add(Kind.OTHER_ROWS, month, words)
            return
        told = (entry.rows, entry.first_open_ms, entry.last_open_ms, _missing(entry.gaps))
        if told != (made.rows, made.first_open_ms, made.last_open_ms, _missing(facts.gaps)):
            words = f"the manifest says of {path} what its rows or what is known do not"
            self._add(Kind.OTHER_FACTS, month, words)

    def _add(self, kind: Kind, month: Month, words: str) -> None:
        self.checked.differences.append(_difference(kind, self.series, month, words))


def _difference(kind: Kind, series: Series, month: Month | None, words: str) -> Difference:
    interval = None if month is None else month.interval
    return Difference(Check.PARTITION, kind, series, interval, month, words=words)


def _missing(gaps: tuple[Gap, ...]) -> IntervalSet:
    return IntervalSet(gap.interval for gap in gaps)
