"""Keeps coarser series in step with what they are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.resample.coarser import Derivable, coarser_candles, derivable
from candle_ingestor.settle.derived import in_step, pruned_part, root_of

SOURCE_CANDLES_PER_PIECE = 40_000
_SOURCE_CANDLES_PER_WRITE = 40_000


@dataclass(frozen=True)
class DeriveTask:
    """Candle lengths of a derived series that are to be made; `span` fits into one piece.

    Attributes:
        can_be: what of the span can be made; the rest is not covered.
    """

    series: Series
    span: IntervalSet
    can_be: Derivable

    @property
    def candles(self) -> int:
        return self.span.duration_ms // self.series.timeframe.duration_ms


def can_be_made(ledger: Ledger, series: Series, closed_end_ms: int) -> Derivable:
    """What of a derived series can be made from what its source covers."""
    record = ledger.record(series)
    derivation = _derivation(ledger, series)
    source = ledger.record(derivation.source)
    known = source.covered
    if source.derivation is not None:
        known = known - source.derivation.partial
    found = derivable(
        known,
        series.timeframe,
        derivation.min_coverage_pct,
        closed_end_ms,
    )
    pruned = pruned_part(record)
    return Derivable(found.whole - pruned, found.partial - pruned)


def derived_by(ledger: Ledger, series: Series, can_be: Derivable) -> Replacement:
    """What the stored candles of its source make of a part of a derived series.

    Raises:
        StoreError: if the store cannot be read.
    """
    source = _derivation(ledger, series).source
    span = can_be.all
    covered = ledger.record(source).covered & span
    candles = coarser_candles(
        ledger.candles_in(source, covered) if covered else no_candles(source),
        source.timeframe,
        series.timeframe,
        _exchanges_of(ledger, series),
    )
    return Replacement(series, span, candles, span, partial=can_be.partial)


def underived(ledger: Ledger, series: Series, closed_end_ms: int) -> list[DeriveTask]:
    """What can be made and is not."""
    can_be = can_be_made(ledger, series, closed_end_ms)
    missing = can_be.all - ledger.record(series).covered
    return derive_tasks(ledger, series, missing, can_be)


def everything_derived(ledger: Ledger, series: Series, closed_end_ms: int) -> list[DeriveTask]:
    """The whole time of which anything is known, to be made again."""
    can_be = can_be_made(ledger, series, closed_end_ms)
    known = ledger.record(series).countable | can_be.all
    hull = IntervalSet.of(known.start_ms, known.end_ms) if known else EMPTY
    return derive_tasks(ledger, series, hull, can_be)


def derive_tasks(
    ledger: Ledger, series: Series, span: IntervalSet, can_be: Derivable
) -> list[DeriveTask]:
    """The span in ascending parts, each of as much time as is made at once."""
    timeframe, source = series.timeframe, _derivation(ledger, series).source
    longest_ms = SOURCE_CANDLES_PER_PIECE * source.timeframe.duration_ms
    longest_ms = max(timeframe.duration_ms, longest_ms - longest_ms % timeframe.duration_ms)
    tasks = []
    rest = span
    while rest:
        window = IntervalSet.of(rest.start_ms, rest.start_ms + longest_ms)
        piece = rest & window
        part = Derivable(can_be.whole & piece, can_be.partial & piece)
        tasks.append(DeriveTask(series, piece, part))
        rest = rest - window
    return tasks


def derive(ledger: Ledger, batch: Sequence[DeriveTask]) -> dict[Series, int]:
    """Makes the tasks, in one write; answers how many candles of each series changed."""
    replacements = []
    for task in batch:
        made = derived_by(ledger, task.series, task.can_be)
        replacements.append(
            Replacement(task.series, task.span, made.candles, made.answered, partial=made.partial)
        )
    changed: dict[Series, int] = {}
    for task, kept in zip(batch, ledger.replace(replacements), strict=True):
        changed[task.series] = changed.get(task.series, 0) + kept.new + kept.revised
    return changed


def derive_batches(tasks: Iterable[DeriveTask], ledger: Ledger) -> Iterator[list[DeriveTask]]:
    """The tasks in groups that are written together, in their order."""
    batch: list[DeriveTask] = []
    candles = 0
    for task in tasks:
        source = _derivation(ledger, task.series).source
        needed = task.span.duration_ms // source.timeframe.duration_ms
        if batch and candles + needed > _SOURCE_CANDLES_PER_WRITE:
            yield batch
            batch, candles = [], 0
        batch.append(task)
        candles += needed
    if batch:
        yield batch


def sweep_stale_derived(ledger: Ledger, series: Series) -> int:
    """Removes candles whose source changed, and which cannot be made again yet; says how many."""
    stale = _derivation(ledger, series).stale
    if not stale:
        return 0
    (gone,) = ledger.replace([Replacement(series, stale, no_candles(series), EMPTY)])
    return gone.revised


def want_as_roots(ledger: Ledger, derived: Iterable[Series]) -> None:
    """Notes in the records of derived series that they are wanted as their roots are."""
    ledger.update(
        {
            series: in_step(
                ledger.record(series), ledger.record(root_of(ledger, series)), series.timeframe
            )
            for series in derived
        }
    )


def _derivation(ledger: Ledger, series: Series) -> Derivation:
    derivation = ledger.record(series).derivation
    if derivation is None:
        raise ValueError(f"{series} is not derived from another series")
    return derivation


def _exchanges_of(ledger: Ledger, series: Series) -> tuple[str, ...]:
    merging = ledger.record(root_of(ledger, series)).merging
    return () if merging is None else merging.basis.rules.exchanges
