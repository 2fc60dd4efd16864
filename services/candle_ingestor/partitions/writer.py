"""Writing of a series' months as CSV files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from candle_ingestor.model.gaps import Gap, GapReason, explain
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.atomic_file import (
    remove_file,
    remove_temporary_files,
    replace_file,
)
from candle_ingestor.partitions.csv_content import csv_content
from candle_ingestor.partitions.errors import PartitionError, cannot_read
from candle_ingestor.partitions.manifest import (
    Digits,
    Manifest,
    MonthEntry,
    month_file,
    read_manifest,
    write_manifest,
)
from candle_ingestor.partitions.months import Month, months_of
from candle_ingestor.partitions.scaling import MOST_DIGITS

_UNFINISHED = ".unfinished_export"
"""Names the months being replaced, from before the first of them until after the manifest."""


@dataclass(frozen=True)
class ExportResult:
    """What an export did, months ascending.

    Attributes:
        folder: the series' folder.
        written: months whose file is new or has changed, restated ones apart.
        restated: complete months that were changed, as `restate` allows.
        unchanged: months whose file was right already.
        refused: complete months that would differ and were left alone.
    """

    folder: Path
    written: tuple[Month, ...]
    restated: tuple[Month, ...]
    unchanged: tuple[Month, ...]
    refused: tuple[Month, ...]


class PartitionWriter:
    """Writes series as monthly partitions below a data root. One writer at a time.

    Every method may raise PartitionError, whose message names the path and the remedy: the path
    cannot be read or written, a manifest is damaged or of another version, or the folder belongs
    to another symbol, exchange, timeframe or other digits.
    """

    def __init__(self, data_root: Path) -> None:
        self._data_root = data_root

    def folder_of(self, series: Series) -> Path:
        """Where the series' months and manifest are (rule E1)."""
        return self._data_root / series.exchange / series.symbol.folder_name

    def fixed_digits(self, series: Series) -> Digits | None:
        """The digits that the series was written with, None where it never was (rule E2)."""
        manifest = self._read_own_manifest(series)
        return manifest.digits if manifest else None

    def stale_months(
        self,
        series: Series,
        covered: IntervalSet,
        reasons: Mapping[GapReason, IntervalSet],
        closed_end_ms: int,
        settled_end_ms: int | None = None,
    ) -> list[Month]:
        """Months that an earlier run should have exported and did not, ascending.

        They are those that have coverage and whose gaps the manifest does not list as they are,
        and those of an export that was killed. Found without reading a candle. Revised candles
        leave no trace here; who revises them names their month to `export`.
        """
        manifest = self._read_own_manifest(series)
        entries = manifest.months if manifest else {}
        stale = self._unfinished_months(series)
        for month in months_of(covered & IntervalSet.of(0, closed_end_ms)):
            entry = entries.get(month)
            if entry is None or not entry.complete:
                gaps = _gaps(_span(month, series), covered, reasons, closed_end_ms)
                settled_ms = closed_end_ms if settled_end_ms is None else settled_end_ms
                complete = _is_complete(_span(month, series), covered, settled_ms)
                if entry is None or (gaps, complete) != (entry.gaps, entry.complete):
                    stale.add(month)
        return sorted(stale)

    def export(
        self,
        series: Series,
        digits: Digits,
        months: Iterable[Month],
        read: Callable[[Interval], pl.DataFrame],
        covered: IntervalSet,
        reasons: Mapping[GapReason, IntervalSet],
        closed_end_ms: int,
        settled_end_ms: int | None = None,
        *,
        restate: bool = False,
    ) -> ExportResult:
        """Makes the files of these months, and the manifest, tell what is known of the series.

        A file that is right already is not touched. A complete month that would differ is left
        alone unless `restate`. Months of an export that was killed are done as well, those that
        begin at or after `closed_end_ms` not at all.

        Args:
            read: the series' candles of an interval, ascending, as its store reads them.
            covered: the coverage; candles outside are not exported.
            reasons: why the rest is not covered, where that is known.
            closed_end_ms: the end of the newest closed candle; no gap is wanted from there on.
            settled_end_ms: the end of what is no longer read again, and so can be complete; the
                same as `closed_end_ms` where it is not given.

        Raises:
            PartitionError: also if a value does not fit int64 with these digits. Months before it
                are then exported, and every other file is what it was.
            ValueError: if `read` gives candles that do not ascend by open time.
        """
        settled_ms = closed_end_ms if settled_end_ms is None else settled_end_ms
        folder = self.folder_of(series)
        if not all(0 <= count <= MOST_DIGITS for count in digits):
            raise PartitionError(
                f"{series}: {digits.price} price and {digits.volume} volume digits are asked for, "
                f"and an int64 holds 0 to {MOST_DIGITS}; ask for fewer digits"
            )
        manifest = self._read_own_manifest(series) or Manifest(series, digits)
        if manifest.digits != digits:
            raise PartitionError(
                f"{folder} is written with {manifest.digits.price} price and "
                f"{manifest.digits.volume} volume digits, and {digits.price} and {digits.volume} "
                "are asked for; ask for the same digits, give another --data_root, or remove the "
                "folder to have it exported anew"
            )
        remove_temporary_files(folder)
        unfinished = self._unfinished_months(series)
        replacing = _Replacing(folder, manifest, unfinished)
        try:
            for month in sorted({*months, *unfinished}):
                if month.start_ms < closed_end_ms:
                    span = _span(month, series)
                    candles = candles_within(_ascending(series, read(span)), covered)
                    content = csv_content(series, digits, candles)
                    open_times = candles["open_time_ms"].to_list()
                    entry = MonthEntry(
                        rows=len(open_times),
                        first_open_ms=open_times[0] if open_times else None,
                        last_open_ms=open_times[-1] if open_times else None,
                        sha256=hashlib.sha256(content).hexdigest(),
                        complete=_is_complete(span, covered, settled_ms),
                        gaps=_gaps(span, covered, reasons, closed_end_ms),
                    )
                    replacing.take(month, entry, content, restate)
        except BaseException:
            with suppress(PartitionError):
                replacing.write_manifest()
            raise
        return replacing.finish()

    def _read_own_manifest(self, series: Series) -> Manifest | None:
        folder = self.folder_of(series)
        manifest = read_manifest(folder)
        if manifest is None or manifest.series == series:
            return manifest
        raise PartitionError(
            f"{folder} holds {manifest.series}, and {series} would be written to the same folder; "
            "give another --data_root, or remove the folder to have it exported anew"
        )

    def _unfinished_months(self, series: Series) -> set[Month]:
        path = self.folder_of(series) / _UNFINISHED
        try:
            return {Month.parse(text) for text in path.read_text("ascii").split()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise cannot_read(path, error) from error
        except ValueError as error:
            raise PartitionError(
                f"{path} does not list months: {error}; remove the folder {path.parent} to have "
                "it exported anew"
            ) from error


class _Replacing:
    """One export to one folder: which months it replaced so far, and why others stayed."""

    def __init__(self, folder: Path, manifest: Manifest, unfinished: set[Month]) -> None:
        self._folder = folder
        self._manifest = manifest
        self._unfinished = unfinished
        self._entries: dict[Month, MonthEntry] = {}
        self._written: list[Month] = []
        self._restated: list[Month] = []
        self._unchanged: list[Month] = []
        self._refused: list[Month] = []

    def take(self, month: Month, entry: MonthEntry, content: bytes, restate: bool) -> None:
        before = self._manifest.months.get(month)
        is_final = before is not None and before.complete and before != entry
        is_in_place = self._digest_on_disk(month) == entry.sha256
        if before == entry and is_in_place:
            self._unchanged.append(month)
            return
        # Content that is in place without its entry is a restatement that was killed in between.
        if is_final and not restate and not (is_in_place and month in self._unfinished):
            self._refused.append(month)
            return
        if not is_in_place:
            self._announce(month)
            replace_file(self._folder / month_file(month), content)
        self._entries[month] = entry
        (self._restated if is_final else self._written).append(month)

    def write_manifest(self) -> None:
        if self._entries:
            write_manifest(self._folder, self._manifest.with_months(self._entries))

    def finish(self) -> ExportResult:
        self.write_manifest()
        remove_file(self._folder / _UNFINISHED)
        return ExportResult(
            self._folder,
            tuple(self._written),
            tuple(self._restated),
            tuple(self._unchanged),
            tuple(self._refused),
        )

    def _announce(self, month: Month) -> None:
        if month not in self._unfinished:
            self._unfinished.add(month)
            text = "".join(f"{unfinished}\n" for unfinished in sorted(self._unfinished))
            replace_file(self._folder / _UNFINISHED, text.encode("ascii"))

    def _digest_on_disk(self, month: Month) -> str | None:
        path = self._folder / month_file(month)
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cannot_read(path, error) from error


def _ascending(series: Series, candles: pl.DataFrame) -> pl.DataFrame:
    if not (candles["open_time_ms"].diff().drop_nulls() > 0).all():
        raise ValueError(f"the candles of {series} do not ascend by open time")
    return candles


def _span(month: Month, series: Series) -> Interval:
    """The candles that open in the month, as the interval they take."""
    return Interval(
        series.timeframe.ceil_ms(month.interval.start_ms),
        series.timeframe.ceil_ms(month.interval.end_ms),
    )


def _is_complete(span: Interval, covered: IntervalSet, settled_end_ms: int) -> bool:
    return span.end_ms <= settled_end_ms and covered.covers(span)


def _gaps(
    span: Interval,
    covered: IntervalSet,
    reasons: Mapping[GapReason, IntervalSet],
    closed_end_ms: int,
) -> tuple[Gap, ...]:
    wanted = IntervalSet.of(span.start_ms, min(span.end_ms, closed_end_ms))
    return tuple(explain(wanted - covered, reasons))
