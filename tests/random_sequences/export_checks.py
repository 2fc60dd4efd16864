"""What must hold of the roots: the loader agrees with the store (rules E1 to E5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from content import StoreContent, folder_of, read_manifest, scaled
from invariants import spans
from market import PRICE_DIGITS, VOLUME_DIGITS
from sequence import Step
from world import Outcome, World

from candle_ingestor.model.gaps import FINAL_REASONS, GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_loader import LoaderError, load

_DIGITS = (PRICE_DIGITS, VOLUME_DIGITS)


@dataclass
class Exports:
    """Follows the roots through a sequence.

    Attributes:
        complete: digests of the months that were complete, by root, series and month.
    """

    complete: dict[tuple[Path, Series, str], str] = field(default_factory=dict)

    def violations(
        self, world: World, content: StoreContent, step: Step, outcome: Outcome
    ) -> Iterator[str]:
        """What is wrong with the roots after a step."""
        root = world.root(step)
        if step.command in ("prune", "verify") or (step.restates and _exports(step)):
            self.complete = {key: sha for key, sha in self.complete.items() if key[0] != root}
        if step.command in ("prune", "verify"):
            for series in content.series:
                self._note_complete(root, series)
        yield from self._changed_though_complete()
        if not _exports(step):
            return
        is_stopped = outcome.report is not None and outcome.report.stop_reason is not None
        if outcome.is_carried_through and not is_stopped:
            for series in _exported(world, content, step, outcome):
                yield from self._series_violations(world, content, series, root)
                self._note_complete(root, series)
        for series in content.series:
            for month in self._note_complete(root, series):
                # What a restatement did not come to is as it was, though the store differs.
                if not step.restates:
                    where = f"{root.name} {series}"
                    yield from _incomplete(world, content, series, Month.parse(month), where)

    def _note_complete(self, root: Path, series: Series) -> list[str]:
        """Remembers the months that are complete, and returns those that were not before."""
        manifest = read_manifest(folder_of(root, series)) or {"months": {}}
        found = []
        for month, entry in manifest["months"].items():
            if entry["complete"] and (root, series, month) not in self.complete:
                self.complete[root, series, month] = entry["sha256"]
                found.append(month)
        return found

    def _changed_though_complete(self) -> Iterator[str]:
        for (root, series, month), digest in self.complete.items():
            manifest = read_manifest(folder_of(root, series)) or {"months": {}}
            entry = manifest["months"].get(month)
            if entry is None or not entry["complete"] or entry["sha256"] != digest:
                yield f"{root.name} {series}: the complete month {month} was changed"

    def _series_violations(
        self, world: World, content: StoreContent, series: Series, root: Path
    ) -> Iterator[str]:
        record = content.record(series)
        manifest = read_manifest(folder_of(root, series))
        where = f"{root.name} {series}"
        if manifest is None:
            if record.covered:
                yield f"{where}: is not exported"
            return
        digits = (manifest["price_decimal_digits"], manifest["volume_decimal_digits"])
        if digits != _DIGITS:
            yield f"{where}: has {digits} digits, and the markets have {_DIGITS}"
        lacking = {str(m) for m in months_of(record.covered)} - manifest["months"].keys()
        if lacking:
            yield f"{where}: lacks the months {sorted(lacking)}"
        frozen = {month for r, s, month in self.complete if (r, s) == (root, series)}
        for name, entry in manifest["months"].items():
            month = Month.parse(name)
            # Of a time that was pruned other folders keep what they have.
            if name in frozen or month.interval.end_ms <= (record.pruned_until_ms or 0):
                continue
            yield from _month_violations(world, content, series, month, root)
            if entry["complete"]:
                yield from _incomplete(world, content, series, month, where)
            elif is_complete(world, content, series, month):
                yield f"{where}: {month} is complete and not marked so"


def _month_violations(
    world: World, content: StoreContent, series: Series, month: Month, root: Path
) -> Iterator[str]:
    where = f"{root.name} {series} {month}"
    covered = content.record(series).covered
    end_ms = min(month.interval.end_ms, world.closed_end_ms)
    span = IntervalSet.of(month.start_ms, end_ms)
    try:
        candles = _load(root, series, month.start_ms, end_ms)
    except LoaderError as error:
        yield f"{where}: cannot be loaded: {error}"
        return
    loaded = candles.frame.rows()
    expected = scaled(content.within(series, covered & span).values(), *_DIGITS)
    if loaded != expected:
        wrong = sorted(set(loaded) ^ set(expected))[:5]
        yield f"{where}: {len(loaded)} rows against {len(expected)} in the store: {wrong}"
    gaps = IntervalSet((gap.start_ms, gap.end_ms) for gap in candles.gaps)
    if gaps != span - covered:
        yield (
            f"{where}: gaps of known time {spans(gaps & covered)}; "
            f"unknown time that is no gap {spans(span - covered - gaps)}"
        )
    known = {reason.value for reason in GapReason} | {"not_exported"}
    if {gap.reason for gap in candles.gaps} - known:
        yield f"{where}: reasons {candles.gaps}"
    yield from _strict_loading(root, series, span, bool(gaps), where)


def _strict_loading(
    root: Path, series: Series, span: IntervalSet, has_gaps: bool, where: str
) -> Iterator[str]:
    try:
        _load(root, series, span.start_ms, span.end_ms, require_complete=True)
    except LoaderError as error:
        if not has_gaps:
            yield f"{where}: require_complete refuses a range without a gap: {error}"
    else:
        if has_gaps:
            yield f"{where}: require_complete accepts a range with gaps"


def _incomplete(
    world: World, content: StoreContent, series: Series, month: Month, where: str
) -> Iterator[str]:
    """Why a month that is marked complete is none (rule E3)."""
    span = IntervalSet((month.interval,))
    if month.interval.end_ms > world.closed_end_ms:
        yield f"{where}: {month} is complete before it is over"
    for each, part in _made_from(content, series, span):
        provisional = content.record(each).provisional & part
        if provisional:
            yield f"{where}: {month} is complete, {each} has {spans(provisional)} provisional"
        fillable = _fillable(content, each, part)
        if fillable and not each.is_merged:
            yield f"{where}: {month} is complete, {each} lacks {spans(fillable)}"


def is_complete(world: World, content: StoreContent, series: Series, month: Month) -> bool:
    """Whether nothing of a month can change any more (rule E3)."""
    span = IntervalSet((month.interval,))
    if month.interval.end_ms > world.closed_end_ms or span - content.record(series).covered:
        return False
    return not any(
        content.record(each).provisional & part or _fillable(content, each, part)
        for each, part in _made_from(content, series, span)
    )


def _made_from(
    content: StoreContent, series: Series, span: IntervalSet
) -> Iterator[tuple[Series, IntervalSet]]:
    """The series itself, and what goes into it where, within the span."""
    yield series, span
    merging = content.record(series).merging
    for basis, part in merging.parts(span) if merging is not None else ():
        for source in basis.sources:
            yield source, part


def _fillable(content: StoreContent, series: Series, span: IntervalSet) -> IntervalSet:
    record = content.record(series)
    missing = span - record.covered
    for reason in FINAL_REASONS:
        missing = missing - record.coverage.reasons.get(reason, EMPTY)
    return missing - IntervalSet.of(0, record.pruned_until_ms or 0)


def _exports(step: Step) -> bool:
    return step.command == "export" or (step.command == "ingest" and step.exports)


def _exported(world: World, content: StoreContent, step: Step, outcome: Outcome) -> list[Series]:
    """The series that a step that was carried through has exported."""
    found = []
    for symbol in set(step.symbols) - outcome.dropped:
        merged = Series.merged(Symbol.parse(symbol), world.timeframe)
        record = content.records.get(merged)
        if record is None or record.merging is None:
            continue
        found.append(merged)
        if step.exports_exchanges:
            sources = record.merging.basis.sources
            found += [source for source in sources if source.exchange in step.exchanges]
    return [series for series in dict.fromkeys(found) if series in content.records]


def _load(root: Path, series: Series, start_ms: int, end_ms: int, **options: Any) -> Any:
    return load(
        root,
        series.exchange,
        str(series.symbol),
        start_ms,
        end_ms,
        timeframe=str(series.timeframe),
        patience_seconds=0.0,
        **options,
    )
