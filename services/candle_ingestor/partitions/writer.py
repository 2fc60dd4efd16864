"""Writing of a series' months as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.export_forms import Fill
from candle_ingestor.model.gaps import Reasons
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.operations.side_by_side import one_by_one, side_by_side
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.files import remove_file, remove_leftovers, size_of
from candle_ingestor.partitions.filling import ReadCandles
from candle_ingestor.partitions.formats.base import FileSubject, Format
from candle_ingestor.partitions.formats.choosing import CSV
from candle_ingestor.partitions.manifest import (
    Digits,
    Manifest,
    MonthEntry,
    read_manifest,
)
from candle_ingestor.partitions.month_content import MonthContent, MonthMaker
from candle_ingestor.partitions.month_facts import (
    facts_of,
    is_stale,
    tellable_months,
)
from candle_ingestor.partitions.replacing import (
    NOTHING_OVERWRITTEN,
    ExportResult,
    Overwriting,
    Replacing,
)
from candle_ingestor.partitions.unfinished import UnfinishedNote

_MONTHS_WORTH_THREADS = 4


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
        overwriting: Overwriting = NOTHING_OVERWRITTEN,
        left_until_ms: int = 0,
        span: Interval | None = None,
        partial: IntervalSet = EMPTY,
    ) -> ExportResult:
        """Makes the files of these months and of the stale ones, and the manifest, tell what is
        known of the series.

        Stale are months that have coverage and no entry in the manifest, those whose entry has
        other gaps, completeness or end than coverage has, and those of an export that was killed.
        A complete month is stale by its gaps only, unless it may be restated. Revised candles leave
        no trace here; who revises them names their month. Where a fill carries a close over to the
        months that follow, these are brought in line, too.

        A file that is right already is not touched. A complete month that would differ, in rows or
        gaps, is left alone unless it may be restated; a restatement that was killed is finished. A
        file that is not the one of the manifest is left alone unless it may be mended, and one that
        is not there is written. A month of the manifest that has lost its last row or all its
        coverage is written as such. A month with neither coverage nor entry is passed over.

        Where only rows at its end are new, a month that is not complete grows by them; every other
        file is replaced whole. Complete months are read-only.

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
            span: months that do not touch it stay as they are; None for none.
            partial: covered time whose candles are made of a part of it.
            unsettled: minutes that keep a month from being complete (rule E3): provisional ones in
                the series or in what it is made from, and gaps of its sources that a later run
                could fill.

        Raises:
            PartitionError: also if a value does not fit int64 with these digits. Months before it
                are then exported, and every other file is what it was.
            ValueError: if `read` gives candles that do not ascend by open time.
        """
        folder = self.folder_of(series)
        subject = FileSubject(series, digits, fill)
        manifest = self._manifest_to_write(subject)
        note = UnfinishedNote(folder)
        noted = note.months(manifest)
        remove_leftovers(folder, {self.file_of(series, month) for month in noted})
        for month in note.removed() - manifest.months.keys():
            remove_file(self.file_of(series, month))
        unfinished = noted | _grown_without_word(folder, self._format, manifest)
        told = tellable_months(manifest, coverage, closed_end_ms)
        left = {month for month in told if _is_left(month, left_until_ms, coverage)}
        if span is not None:
            left |= {month for month in told if not month.touches(span)}
        tellable = {*told, *unfinished} - (left - unfinished)
        facts = facts_of(tellable, series, coverage, reasons, closed_end_ms, unsettled, partial)
        maker = MonthMaker(self._format, subject, read, coverage, unsettled)
        replacing = Replacing(folder, self._format, manifest, note, overwriting)
        try:
            wrong = {
                month
                for month in tellable
                if month in unfinished
                or month in months
                or is_stale(manifest.months.get(month), facts[month], restate=overwriting.restates)
            }
            followers = set() if fill is Fill.NONE else _followers(wrong, tellable, read)
            in_turn = sorted(wrong | followers)

            def prepared() -> Iterator[Callable[[], MonthContent]]:
                for month in in_turn:
                    before = manifest.months.get(month)
                    changed_from_ms = None
                    if month not in unfinished and month not in followers:
                        changed_from_ms = _changed_from_ms(month, months, before)
                    path = self.file_of(series, month)
                    yield maker.prepare(path, facts[month], before, changed_from_ms)

            made = side_by_side if len(in_turn) >= _MONTHS_WORTH_THREADS else one_by_one
            for month, content in zip(in_turn, made(prepared()), strict=True):
                replacing.take(month, content, is_unfinished=month in unfinished)
        except BaseException:
            with suppress(PartitionError):
                replacing.write_manifest()
            raise
        not_begun = [month for month in months if month.start_ms >= closed_end_ms]
        undone = sorted(({*replacing.refused, *not_begun} - unfinished) | replacing.foreign.keys())
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


def _grown_without_word(folder: Path, layout: Format, manifest: Manifest) -> set[Month]:
    """The months whose file grew by rows that the manifest does not tell of, as a crash leaves it.

    Only months that are not complete grow.
    """
    return {
        month
        for month, entry in manifest.months.items()
        if not entry.complete
        and entry.content_bytes is not None
        and (size_of(folder / layout.month_file(month)) or 0) > entry.content_bytes
    }


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
