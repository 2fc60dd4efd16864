"""Writing of a series' months as files."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.export_forms import Fill
from candle_ingestor.model.gaps import Reasons
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.files import remove_temporary_files, replace_file
from candle_ingestor.partitions.filling import ReadCandles
from candle_ingestor.partitions.formats.base import FileSubject, Format
from candle_ingestor.partitions.formats.choosing import CSV
from candle_ingestor.partitions.manifest import (
    Digits,
    Manifest,
    MonthEntry,
    read_manifest,
    write_manifest,
)
from candle_ingestor.partitions.month_content import MonthContent, MonthMaker
from candle_ingestor.partitions.month_facts import (
    facts_of,
    is_stale,
    tellable_months,
)
from candle_ingestor.partitions.unfinished import UnfinishedNote


@dataclass(frozen=True)
class ExportResult:
    """What an export did, months ascending.

    Attributes:
        folder: the series' folder.
        written: months whose file or manifest entry is new or has changed, restated ones apart.
        restated: complete months that were changed, as `restate` allows or a killed restatement
            began.
        refused: complete months that would differ and were left alone. They are refused again by
            every export that names them, until one restates.
        undone: what the caller keeps in its backlog: the refused months and those that have not
            begun by `closed_end_ms`, each with the open time of its first changed minute, the
            month's start where any may have changed.
    """

    folder: Path
    written: tuple[Month, ...]
    restated: tuple[Month, ...]
    refused: tuple[Month, ...]
    undone: Mapping[Month, int]


class PartitionWriter:
    """Writes series as monthly partitions below a data root. One writer at a time.

    Every method may raise PartitionError, whose message names the path and the remedy: the path
    cannot be read or written, a manifest is damaged or of another version, or the folder belongs
    to another symbol, exchange, timeframe, other digits or another fill.
    """

    def __init__(self, data_root: Path, file_format: Format = CSV) -> None:
        self._data_root = data_root
        self._format = file_format

    def folder_of(self, series: Series) -> Path:
        """Where the series' months and manifest are (rule E1)."""
        return self._format.folder_of(self._data_root, series)

    def file_of(self, series: Series, month: Month) -> Path:
        """Where a month of the series is."""
        return self.folder_of(series) / self._format.month_file(month)

    def fixed_digits(self, series: Series) -> Digits | None:
        """The digits that the series was written with, None where it never was (rule E2)."""
        manifest = self._read_own_manifest(series)
        return manifest.digits if manifest else None

    def fixed_fill(self, series: Series) -> Fill | None:
        """The fill that the series was written with, None where it never was."""
        manifest = self._read_own_manifest(series)
        return manifest.fill if manifest else None

    def export(
        self,
        series: Series,
        digits: Digits,
        months: Mapping[Month, int | None],
        read: ReadCandles,
        coverage: IntervalSet,
        reasons: Reasons,
        closed_end_ms: int,
        unsettled: IntervalSet,
        *,
        fill: Fill = Fill.NONE,
        restate: bool = False,
        left_until_ms: int = 0,
    ) -> ExportResult:
        """Makes the files of these months and of the stale ones, and the manifest, tell what is
        known of the series.

        Stale are months that have coverage and no entry in the manifest, those whose entry has
        other gaps, completeness or end than coverage has, and those of an export that was killed.
        A complete month is stale by its gaps only, unless `restate`. Revised candles leave no trace
        here; who revises them names their month. Where a fill carries a close over to the months
        that follow, these are brought in line, too.

        A file that is right already is not touched. A complete month that would differ, in rows or
        gaps, is left alone unless `restate`; a restatement that was killed is finished. A month of
        the manifest that has lost its last row or all its coverage is written as such. A month
        with neither coverage nor entry is passed over.

        Args:
            months: the months whose candles or coverage changed since they were last exported
                here, each with the open time of the first changed minute; None if any may have.
            read: the series' candles of an interval, ascending, as its store reads them. It is
                asked for what may have changed only.
            coverage: candles outside are not exported.
            reasons: why the rest is not covered, where that is known.
            closed_end_ms: the end of the newest closed candle; no gap is wanted from there on, and
                months that begin there are left for later.
            fill: what stands for covered minutes without trade.
            left_until_ms: months that end until then and have no coverage stay as they are.
            unsettled: minutes that keep a month from being complete (rule E3): provisional ones in
                the series or in what it is made from, and gaps of its sources that a later run
                could fill.

        Raises:
            PartitionError: also if a value does not fit int64 with these digits. Months before it
                are then exported, and every other file is what it was.
            ValueError: if `read` gives candles that do not ascend by open time.
        """
        folder = self.folder_of(series)
        manifest = self._manifest_to_write(FileSubject(series, digits, fill))
        remove_temporary_files(folder)
        note = UnfinishedNote(folder)
        unfinished = note.months(manifest)
        told = tellable_months(manifest, coverage, closed_end_ms)
        left = {month for month in told if _is_left(month, left_until_ms, coverage)}
        tellable = {*told, *unfinished} - (left - unfinished)
        facts = facts_of(tellable, series, coverage, reasons, closed_end_ms, unsettled)
        subject = FileSubject(series, digits, fill)
        maker = MonthMaker(self._format, subject, read, coverage, unsettled)
        replacing = _Replacing(folder, self._format, manifest, note)
        try:
            wrong = {
                month
                for month in tellable
                if month in unfinished
                or month in months
                or is_stale(manifest.months.get(month), facts[month], restate=restate)
            }
            followers = set() if fill is Fill.NONE else _followers(wrong, tellable, read)
            for month in sorted(wrong | followers):
                before = manifest.months.get(month)
                must_mend = month in unfinished
                changed_from_ms = None
                if not must_mend and month not in followers:
                    changed_from_ms = _changed_from_ms(month, months, before)
                path = folder / self._format.month_file(month)
                content = maker.make(path, facts[month], before, changed_from_ms)
                replacing.take(month, content, may_restate=restate or must_mend)
        except BaseException:
            with suppress(PartitionError):
                replacing.write_manifest()
            raise
        not_begun = [month for month in months if month.start_ms >= closed_end_ms]
        undone = sorted({*replacing.refused, *not_begun} - unfinished)
        return replacing.finish({month: _first_changed_ms(month, months) for month in undone})

    def _manifest_to_write(self, subject: FileSubject) -> Manifest:
        series, digits, fill = subject.series, subject.digits, subject.fill
        folder = self.folder_of(series)
        if not all(0 <= count <= MOST_DIGITS for count in digits):
            raise PartitionError(
                f"{series}: {digits.price} price and {digits.volume} volume digits are asked for, "
                f"and an int64 holds 0 to {MOST_DIGITS}; ask for fewer digits"
            )
        manifest = self._read_own_manifest(series) or Manifest(series, digits, fill)
        if manifest.digits != digits:
            raise PartitionError(
                f"{folder} is written with {manifest.digits.price} price and "
                f"{manifest.digits.volume} volume digits, and {digits.price} and {digits.volume} "
                "are asked for; ask for the same digits, give another --data_root, or remove the "
                "folder to have it exported anew"
            )
        if manifest.fill is not fill:
            raise PartitionError(
                f"{folder} is written with --fill={manifest.fill}, and --fill={fill} is asked for; "
                "leave --fill out to keep it, give another --data_root, or remove the folder to "
                "have it exported anew"
            )
        return manifest

    def _read_own_manifest(self, series: Series) -> Manifest | None:
        folder = self.folder_of(series)
        manifest = read_manifest(folder, self._format)
        if manifest is None or manifest.series == series:
            return manifest
        raise PartitionError(
            f"{folder} holds {manifest.series}, and {series} would be written to the same folder; "
            "give another --data_root, or remove the folder to have it exported anew"
        )


class _Replacing:
    """One export to one folder: which months it replaced so far, and why others stayed."""

    def __init__(
        self, folder: Path, file_format: Format, manifest: Manifest, note: UnfinishedNote
    ) -> None:
        self._folder = folder
        self._format = file_format
        self._manifest = manifest
        self._note = note
        self._entries: dict[Month, MonthEntry] = {}
        self._written: list[Month] = []
        self._restated: list[Month] = []
        self.refused: list[Month] = []

    def take(self, month: Month, made: MonthContent, *, may_restate: bool) -> None:
        before = self._manifest.months.get(month)
        is_final = before is not None and before.complete
        entry = made.entry
        if before is not None and is_final and not may_restate:
            if (entry.sha256, entry.gaps) != (before.sha256, before.gaps):
                self.refused.append(month)
                return
            # What its sources may still change does not make a month less complete that has all.
            entry = before
        if not made.is_on_disk:
            # A damaged file of an entry that stays is mended without a note: nothing that the
            # manifest says comes to differ.
            if entry != before:
                self._note.announce(month, entry.sha256)
            replace_file(self._folder / self._format.month_file(month), made.content)
        if entry != before:
            self._entries[month] = entry
            (self._restated if is_final else self._written).append(month)
        elif not made.is_on_disk:
            self._written.append(month)

    def write_manifest(self) -> None:
        if self._entries:
            write_manifest(self._folder, self._format, self._manifest.with_months(self._entries))

    def finish(self, undone: Mapping[Month, int]) -> ExportResult:
        self.write_manifest()
        self._note.remove()
        return ExportResult(
            self._folder,
            tuple(self._written),
            tuple(self._restated),
            tuple(self.refused),
            undone,
        )


def _is_left(month: Month, until_ms: int, coverage: IntervalSet) -> bool:
    return month.interval.end_ms <= until_ms and not coverage & IntervalSet((month.interval,))


def _followers(
    wrong: AbstractSet[Month], tellable: AbstractSet[Month], read: ReadCandles
) -> set[Month]:
    """The months that may begin with a close of a month that is wrong.

    It reaches as far as no month in between has a candle of its own.
    """
    found: set[Month] = set()
    for month in wrong:
        following = month.following()
        while following in tellable and following not in wrong and following not in found:
            found.add(following)
            if not read(following.interval).is_empty():
                break
            following = following.following()
    return found


def _changed_from_ms(
    month: Month, months: Mapping[Month, int | None], before: MonthEntry | None
) -> int | None:
    if month in months:
        return months[month]
    # Stale by what is said of it only: the rows that it tells of are as they were.
    return None if before is None else before.known_until_ms


def _first_changed_ms(month: Month, months: Mapping[Month, int | None]) -> int:
    first_ms = months.get(month)
    return month.start_ms if first_ms is None else first_ms
