"""Removes what a plan says, in an order in which a crash leaves no claim without its candles (C1).

First what would keep it from coming back: records of imported files. Of a span then the mark that
no run wants it any more. Then the partitions, the manifest before its files. Then candles month by
month, each by `ledger.replace`: no longer covered first, removed after. Then the state, and the
records of whole series.

What is made from what went is brought in line by the caller. Until then the records say that a
removal has begun: by their mark before a time, by being there where a merged series stays that is
made from the whole series. Whatever ends it in between, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import EMPTY
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.operations.progress import Progress
from candle_ingestor.partitions.pruning import remove_months
from candle_ingestor.prune.plan import PrunePlan, SeriesCut, span_of

_PROGRESS = "months"


@dataclass
class Pruner:
    """Removes over a ledger, which is of no use after whole series went: their records are gone.

    Attributes:
        candles: how many were removed so far.
        files: which.
        is_removed: whether all of the plan was removed.
    """

    ledger: Ledger
    service_identifier: str
    progress: Progress
    is_to_stop: Callable[[], bool] = lambda: False
    candles: int = 0
    files: list[Path] = field(default_factory=list)
    is_removed: bool = False

    def remove(self, plan: PrunePlan) -> None:
        """Removes what is planned, until its end or until it is to stop.

        `finish` follows, once what is made from it is in line.

        Raises:
            StoreError: if the store fails.
            PartitionError: if a folder cannot be written.
        """
        store = self.ledger.store
        months = sum(len(cut.months) for cut in plan.cuts)
        self.progress.begin("Removing", {_PROGRESS: months} if months else None)
        store.remove_imported_files(plan.imported_files)
        self._update(plan.cuts, SeriesRecord.pruning)
        for cut in plan.cuts:
            for folder in cut.folders:
                self.files += remove_months(*folder, cut.until_ms)
        for _, of_symbol in groupby(plan.cuts, key=lambda cut: cut.series.symbol):
            self._remove_candles(list(of_symbol))
        if self.is_to_stop():
            return
        self._update(plan.cuts, SeriesRecord.pruned)
        store.remove_state(self.service_identifier, plan.state_keys)
        used = self._used_by_what_stays(plan)
        self.ledger.update(dict.fromkeys(used, NOTHING_KNOWN))
        store.forget([s for s in _whole(plan) if s not in used])
        self.is_removed = True

    def finish(self, plan: PrunePlan) -> None:
        """Notes that what is made from what went is in line.

        Raises:
            StoreError: if the store fails.
        """
        # What was brought in line has changed the records meanwhile.
        self.ledger = Ledger(self.ledger.store)
        self._update(plan.cuts, SeriesRecord.in_line)
        self.ledger.store.forget([s for s in _whole(plan) if s in self.ledger.records])

    def _used_by_what_stays(self, plan: PrunePlan) -> set[Series]:
        used = {s for loss in plan.losses for s in self.ledger.record(loss.merged).sources}
        return used.intersection(_whole(plan))

    def _update(
        self,
        cuts: tuple[SeriesCut, ...],
        change: Callable[[SeriesRecord, int], SeriesRecord],
    ) -> None:
        """Changes the records of what is cut at a time."""
        self.ledger.update(
            {
                cut.series: change(self.ledger.record(cut.series), cut.until_ms)
                for cut in cuts
                if cut.until_ms is not None
            }
        )

    def _remove_candles(self, cuts: list[SeriesCut]) -> None:
        """Month by month, what is merged before what it is made from."""
        for month in sorted({month for cut in cuts for month in cut.months}):
            if self.is_to_stop():
                return
            for cut in reversed(cuts):
                if month not in cut.months:
                    continue
                (removed,) = self.ledger.replace([_nothing_in(cut, month)])
                self.candles += removed.revised
                self.ledger.let_go(cut.series, span_of(cut, month))
                self.progress.advance(_PROGRESS, 1)


def _whole(plan: PrunePlan) -> list[Series]:
    return [cut.series for cut in plan.cuts if cut.until_ms is None]


def _nothing_in(cut: SeriesCut, month: Month) -> Replacement:
    return Replacement(cut.series, span_of(cut, month), no_candles(cut.series), EMPTY)
