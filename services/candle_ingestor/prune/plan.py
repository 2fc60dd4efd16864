"""What a prune removes, and what depends on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.model.intervals import (
    EMPTY,
    END_OF_TIME_MS,
    Interval,
    IntervalSet,
    covered_at_least,
)
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.manifest import read_manifest
from candle_ingestor.partitions.pruning import SeriesFolder, files_before, series_folders
from candle_ingestor.settle.exporting import targets_of
from candle_ingestor.settle.state import backfill_key, catch_up_key


@dataclass(frozen=True)
class SeriesCut:
    """What goes of one series.

    Attributes:
        until_ms: candles that open before it go; None for all of the series.
        months: those that have something to be removed, ascending.
        candles: how many are stored there.
        folders: where its partitions are, in each format.
        files: those that go, and their size.
        rewritten: those of them that are written anew with what is left of their month.
    """

    series: Series
    until_ms: int | None
    months: tuple[Month, ...]
    candles: int
    folders: tuple[SeriesFolder, ...]
    files: tuple[Path, ...]
    size_bytes: int
    rewritten: tuple[Path, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be removed; a whole series has at least its record."""
        return self.until_ms is not None and not (self.candles or self.months or self.files)

    @property
    def span(self) -> IntervalSet:
        """The time of which nothing is left."""
        return IntervalSet.of(0, END_OF_TIME_MS if self.until_ms is None else self.until_ms)


@dataclass(frozen=True)
class Loss:
    """A merged or derived series that stays and is made from what goes.

    Attributes:
        is_derived: whether it is put together from one series, and not merged.
        lost: its candle lengths that cannot be made again from what is left.
        remade: those that are made again.
        frozen: its complete months below the data root that had some of them. They stay as they
            were exported (rule E3).
    """

    merged: Series
    lost: int
    remade: int
    frozen: tuple[Month, ...] = ()
    is_derived: bool = False


@dataclass(frozen=True)
class PrunePlan:
    """All that goes.

    Attributes:
        cuts: what is made from others comes after it.
        serving: series that were asked for and stay, since a merged series that stays is made from
            them.
        losses: merged series that stay and lose a source.
        state_keys: state of symbols of which no merged series is left.
        imported_files: records of files that had what goes, so that they can be imported again.
        other_targets: other folders that some of it was exported to, which are left alone.
    """

    before_ms: int | None
    cuts: tuple[SeriesCut, ...]
    serving: tuple[tuple[Series, Series], ...] = ()
    losses: tuple[Loss, ...] = ()
    state_keys: tuple[str, ...] = ()
    imported_files: tuple[ImportedFile, ...] = ()
    other_targets: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be removed."""
        return all(cut.is_empty for cut in self.cuts)


def plan_prune(
    ledger: Ledger,
    chosen: Collection[Series],
    before_ms: int | None,
    data_root: Path,
    *,
    keeps_serving: bool,
    restates: bool = False,
) -> PrunePlan:
    """What goes of the chosen series: all, or what opens before a time.

    With `keeps_serving` an exchange's series stays that a merged series is made from which is not
    chosen. With `restates` complete months of what stays are exported again.

    Raises:
        StoreError: if the store cannot be read.
        PartitionError: if a folder cannot be read.
    """
    serving = _serving(ledger, chosen) if keeps_serving else []
    staying = {series for series, _ in serving}
    going = [series for series in chosen if series not in staying]
    if before_ms is not None:
        going += _nothing_left(ledger, going, before_ms)
    going.sort(key=lambda series: (series.symbol, series.timeframe, series.is_merged, series))
    cuts = tuple(_cut(ledger, series, before_ms, data_root) for series in going)
    return PrunePlan(
        before_ms,
        cuts,
        tuple(serving),
        tuple(_losses(ledger, cuts, None if restates else data_root)),
        _state_keys(ledger, going) if before_ms is None else (),
        _imported_files(ledger, cuts),
        _other_targets(ledger, going, data_root),
    )


def span_of(cut: SeriesCut, month: Month) -> IntervalSet:
    """What is removed in the month: the candle lengths that open in it."""
    timeframe = cut.series.timeframe
    start_ms, end_ms = month.interval
    return cut.span & IntervalSet.of(timeframe.ceil_ms(start_ms), timeframe.ceil_ms(end_ms))


def _serving(ledger: Ledger, chosen: Collection[Series]) -> list[tuple[Series, Series]]:
    found = []
    for series in chosen:
        others = [each for each in ledger.dependents(series) if each not in chosen]
        if others:
            found.append((series, min(others)))
    return found


def _cut(ledger: Ledger, series: Series, before_ms: int | None, data_root: Path) -> SeriesCut:
    until_ms = END_OF_TIME_MS if before_ms is None else series.timeframe.ceil_ms(before_ms)
    counts = ledger.counts(series)
    months = _months(ledger, series, until_ms)
    countable = months_of(ledger.record(series).countable)
    candles = 0
    for month in months:
        if month in countable and month.interval.end_ms <= until_ms:
            candles += counts.get(month, 0)
        else:
            end_ms = min(month.interval.end_ms, until_ms)
            candles += ledger.candles(series, Interval(month.start_ms, end_ms)).height
    folders = series_folders(data_root, series)
    cut_ms = None if before_ms is None else until_ms
    found = [item for each in folders for item in files_before(*each, cut_ms).items()]
    size_bytes = sum(path.stat().st_size for _, path in found)
    left = months_of(ledger.record(series).covered & IntervalSet.of(until_ms, END_OF_TIME_MS))
    rewritten = [path for month, path in found if month in left]
    return SeriesCut(
        series,
        cut_ms,
        tuple(months),
        candles,
        folders,
        tuple(path for _, path in found),
        size_bytes,
        tuple(rewritten),
    )


def _months(ledger: Ledger, series: Series, until_ms: int) -> list[Month]:
    """Those before the time in which anything is known, and all between and around with candles.

    What a crash left is called known no longer.
    """
    known = months_of(ledger.record(series).countable & IntervalSet.of(0, until_ms))
    last_ms = ledger.store.last_open_ms(series, until_ms)
    months = {*known, *([] if last_ms is None else [Month.of(last_ms)])}
    if not months:
        return []
    month = min(months)
    while month < max(months):
        months.add(month)
        month = month.following()
    while (left_ms := ledger.store.last_open_ms(series, min(months).start_ms)) is not None:
        months.add(Month.of(left_ms))
    return sorted(months)


def _nothing_left(ledger: Ledger, going: Collection[Series], before_ms: int) -> list[Series]:
    """The other series of which nothing before the time can be made from what stays."""
    found: list[Series] = []
    dependents = {each for series in going for each in ledger.dependents(series)}
    for merged in sorted(dependents - set(going)):
        until_ms = merged.timeframe.ceil_ms(before_ms)
        span = IntervalSet.of(0, until_ms)
        record = ledger.record(merged)
        known = record.covered & span
        # A prune that was killed may have begun with it.
        is_begun = (record.pruned_until_ms or 0) >= until_ms
        lost = _lost(ledger, merged, dict.fromkeys(going, span)) & span
        if is_begun or (known and known == lost):
            found.append(merged)
    if not found:
        return []
    # What is made from these may have nothing left either.
    return [*found, *_nothing_left(ledger, [*going, *found], before_ms)]


def _losses(ledger: Ledger, cuts: Iterable[SeriesCut], frozen_below: Path | None) -> list[Loss]:
    spans = {cut.series: cut.span for cut in cuts}
    losses = []
    for merged in sorted({each for one in spans for each in ledger.dependents(one)} - spans.keys()):
        length_ms = merged.timeframe.duration_ms
        known = ledger.record(merged).covered
        touched = EMPTY
        for source, span in spans.items():
            if source in ledger.record(merged).sources:
                touched = touched | (ledger.record(source).covered & span & known)
        lost = _lost(ledger, merged, spans)
        remade = touched - lost
        losses.append(
            Loss(
                merged,
                lost.duration_ms // length_ms,
                remade.duration_ms // length_ms,
                _complete_months(frozen_below, merged, lost | touched),
                is_derived=ledger.record(merged).derivation is not None,
            )
        )
    return losses


def _complete_months(
    data_root: Path | None, series: Series, span: IntervalSet
) -> tuple[Month, ...]:
    if data_root is None or not span:
        return ()
    touched = set(months_of(span))
    found = set()
    for folder, layout in series_folders(data_root, series):
        manifest = read_manifest(folder, layout)
        if manifest is not None and manifest.series == series:
            found |= {month for month, entry in manifest.months.items() if entry.complete}
    return tuple(sorted(found & touched))


def _lost(ledger: Ledger, merged: Series, spans: Mapping[Series, IntervalSet]) -> IntervalSet:
    """What of a dependent series cannot be made again once these spans of series are gone."""
    record = ledger.record(merged)
    if record.derivation is not None:
        source = record.derivation.source
        gone = ledger.record(source).covered & spans.get(source, EMPTY)
        return on_grid(gone, merged.timeframe) & record.covered
    if record.merging is None:
        return EMPTY
    lost = EMPTY
    for basis, part in record.merging.parts(record.covered):
        left = (ledger.record(s).covered - spans.get(s, EMPTY) for s in basis.sources)
        lost = lost | (part - covered_at_least(left, basis.rules.min_exchanges))
    return lost


def _state_keys(ledger: Ledger, going: Collection[Series]) -> tuple[str, ...]:
    """State knows no timeframes: it goes with the last merged series of a symbol."""
    left = {s.symbol for s in ledger.records if s.is_merged and s not in going}
    gone = {s.symbol: s for s in going if s.is_merged and s.symbol not in left}
    return tuple(key(series) for series in gone.values() for key in (backfill_key, catch_up_key))


def _imported_files(ledger: Ledger, cuts: Collection[SeriesCut]) -> tuple[ImportedFile, ...]:
    spans = {cut.series: cut.span for cut in cuts}
    return tuple(
        file
        for file in ledger.store.read_imported_files()
        if file.series in spans
        and (file.first_ms is None or spans[file.series].contains(file.first_ms))
    )


def _other_targets(ledger: Ledger, going: Collection[Series], data_root: Path) -> tuple[str, ...]:
    targets = {target for series in going for target in ledger.record(series).exports.backlog}
    return tuple(sorted(targets - targets_of(data_root)))
