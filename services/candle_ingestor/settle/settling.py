"""Settling: merge, derive, state, account, export, for every command that changes a series."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby

from candle_ingestor.config import DerivedConfig, ExportConfig
from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.operations.progress import NoProgress, Progress
from candle_ingestor.settle.accounting import account_for
from candle_ingestor.settle.basis import adopted
from candle_ingestor.settle.derived import (
    adopted_derivations,
    derived_from,
    require_not_derived,
)
from candle_ingestor.settle.deriving import (
    DeriveTask,
    derive,
    derive_batches,
    everything_derived,
    sweep_stale_derived,
    underived,
    want_as_roots,
)
from candle_ingestor.settle.exporting import Exporter
from candle_ingestor.settle.merging import (
    MergeTask,
    batches,
    everything,
    merge,
    read_ahead,
    sweep,
    sweep_stale,
    unmerged,
)
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.state import state_of, state_of_nothing
from candle_ingestor.settle.ticker import Ticker

_BATCHES_WORTH_READING_AHEAD = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What is to be accounted for of one symbol.

    Attributes:
        span: of its merged series.
        backfill_start_ms: where its history is to begin; None where none is asked for.
        is_bounded: whether an end was given.
    """

    span: Interval
    backfill_start_ms: int | None
    is_bounded: bool


@dataclass(frozen=True)
class SettleRules:
    """What settling does beside merging.

    Attributes:
        merges_everything: whether all is merged again by the present rules (rules M9 and M10).
        derived: which coarser timeframes are wanted.
        derives_everything: whether all of these, and of those that there are, is made again.
        exports: how to export; None for not at all.
        exports_everything: whether every month is compared, whatever the backlog says.
        closed_end_ms: the end of the newest closed candle.
        now_ms: when that is; None for the end of the newest closed candle.
    """

    closed_end_ms: int
    service_identifier: str
    merges_everything: bool = False
    exports: ExportConfig | None = None
    exports_everything: bool = False
    now_ms: int | None = None
    derived: DerivedConfig = field(default_factory=DerivedConfig)
    derives_everything: bool = False


@dataclass
class Settling:
    """Settles tickers over a ledger. `is_urgent` says when what is left is for the next run."""

    ledger: Ledger
    rules: SettleRules
    outcomes: Mapping[Ticker, TickerOutcome]
    is_urgent: Callable[[], bool] = lambda: False
    progress: Progress = field(default_factory=NoProgress)

    def adopt(self, known: Mapping[Series, SeriesRecord]) -> None:
        """Makes each ticker's basis that of its merged series, together with the records given.

        `known` are records to be written at the same time.

        Raises:
            ConfigurationError: if a series is to be both derived and fetched or merged.
        """
        require_not_derived(self._roots(with_exchanges=True), self.ledger)
        records = dict(known)

        def record_of(series: Series) -> SeriesRecord:
            return records.get(series) or self.ledger.record(series)

        for ticker, outcome in self.outcomes.items():
            records[ticker.merged], outcome.rule_changes = adopted(
                record_of(ticker.merged), ticker.basis, record_of
            )
        for root in self._roots(with_exchanges=self.rules.derived.of_exchanges):
            derived = derived_from(self.ledger, root)
            records |= adopted_derivations(root, self.rules.derived, record_of, derived)
        self.ledger.update(records)
        for ticker, outcome in self.outcomes.items():
            if outcome.rule_changes:
                sweep(self.ledger, ticker, outcome.merged)

    def merge(self) -> None:
        """Merges what is not, or everything."""
        choose = everything if self.rules.merges_everything else unmerged
        tasks: list[MergeTask] = []
        for ticker, outcome in self.outcomes.items():
            with outcome.on_its_own():
                tasks += choose(self.ledger, ticker, outcome.merged)
        self.progress.begin("Merging", _expected("candles", sum(task.candles for task in tasks)))
        in_turn = list(batches(tasks))
        for index, batch in enumerate(in_turn):
            if self.is_urgent():
                return
            if len(in_turn) >= _BATCHES_WORTH_READING_AHEAD:
                read_ahead(self.ledger, chain.from_iterable(in_turn[index + 1 : index + 2]))
            self._merge_batch(batch)
            self.progress.advance("candles", sum(task.candles for task in batch))
        for ticker, outcome in self.outcomes.items():
            with outcome.on_its_own():
                sweep_stale(self.ledger, ticker, outcome.merged)

    def derive(self) -> None:
        """Puts together the coarser candles that are not there, or all of them.

        The finest come first, since coarser ones are made from them.
        """
        owners: dict[Series, TickerOutcome] = {}
        for ticker, outcome in self.outcomes.items():
            for root in (ticker.merged, *ticker.sources):
                for series in derived_from(self.ledger, root):
                    owners.setdefault(series, outcome)
        if not owners:
            return
        want_as_roots(self.ledger, owners)
        for _, level in groupby(sorted(owners, key=_by_length), key=_by_length):
            if not self._derive_level({series: owners[series] for series in level}):
                return

    def _derive_level(self, owners: Mapping[Series, TickerOutcome]) -> bool:
        """Derives series of one timeframe; whether there was time for all."""
        choose = everything_derived if self.rules.derives_everything else underived
        tasks: list[DeriveTask] = []
        for series, outcome in owners.items():
            with outcome.on_its_own():
                tasks += choose(self.ledger, series, self.rules.closed_end_ms)
        if tasks:
            candles = sum(task.candles for task in tasks)
            name = f"Resampling to {tasks[0].series.timeframe}"
            self.progress.begin(name, _expected("candles", candles))
        for batch in derive_batches(tasks, self.ledger):
            if self.is_urgent():
                return False
            self._derive_batch(batch, owners)
            self.progress.advance("candles", sum(task.candles for task in batch))
        for series, outcome in owners.items():
            with outcome.on_its_own():
                outcome.derived_candles += sweep_stale_derived(self.ledger, series)
        return True

    def _derive_batch(
        self, batch: Sequence[DeriveTask], owners: Mapping[Series, TickerOutcome]
    ) -> None:
        try:
            for series, changed in derive(self.ledger, batch).items():
                owners[series].derived_candles += changed
        except CandleIngestorError:
            raise
        except Exception:
            log.exception("An unforeseen failure in resampling; each series is made by itself")
            for task in batch:
                with owners[task.series].on_its_own():
                    owners[task.series].derived_candles += sum(derive(self.ledger, [task]).values())

    def _roots(self, *, with_exchanges: bool) -> list[Series]:
        sources = (s for each in self.outcomes for s in each.sources if with_exchanges)
        return list(dict.fromkeys([*(each.merged for each in self.outcomes), *sources]))

    def write_state(self, wanted: Mapping[Ticker, Wanted]) -> None:
        """Writes the state of every ticker that was accounted for, in one request.

        Where nothing is covered, state that stands is taken back to before what is wanted.
        """
        store = self.ledger.store
        state: dict[str, int] = {}
        nothing_known = []
        for ticker, want in wanted.items():
            covered = self.ledger.record(ticker.merged).covered
            if not covered:
                nothing_known.append((ticker, want))
                continue
            state |= state_of(
                ticker.merged,
                covered,
                _not_listed_yet(self.outcomes[ticker]),
                want.backfill_start_ms,
                is_bounded=want.is_bounded,
            )
        if nothing_known:
            standing = store.read_state(self.rules.service_identifier)
            for ticker, want in nothing_known:
                before = state_of_nothing(ticker.merged, want.span.start_ms)
                state |= {key: value for key, value in before.items() if key in standing}
        if state:
            store.write_state(self.rules.service_identifier, state)

    def account(self, wanted: Mapping[Ticker, Wanted]) -> None:
        """Tells what is known of every ticker and what is not."""
        self.progress.begin("Accounting for every minute", _expected("symbols", len(wanted)))
        for ticker, want in wanted.items():
            account_for(self.ledger, ticker, want.span, self.outcomes[ticker])
            self.progress.advance("symbols", 1)

    def export(self) -> None:
        """Exports what changed, unless that is not asked for."""
        if self.rules.exports is None:
            return
        everything = self.rules.exports_everything
        exporter = Exporter(
            self.rules.exports,
            self.ledger,
            self.rules.closed_end_ms,
            lambda months: self.progress.advance("months", months),
            self.rules.now_ms,
        )
        months = sum(exporter.months_of(ticker, everything=everything) for ticker in self.outcomes)
        self.progress.begin("Exporting", _expected("months", months))
        for ticker, outcome in self.outcomes.items():
            if self.is_urgent():
                log.warning("The export is left to the next run")
                break
            with outcome.on_its_own():
                exporter.export(ticker, outcome, everything=everything)
                outcome.is_exported = True
        exporter.finish()

    def _merge_batch(self, batch: Sequence[MergeTask]) -> None:
        try:
            merge(self.ledger, batch)
        except CandleIngestorError:
            raise
        except Exception:
            log.exception("An unforeseen failure in merging; each ticker is merged by itself")
            outcomes = {ticker.merged: outcome for ticker, outcome in self.outcomes.items()}
            for task in batch:
                with outcomes[task.series].on_its_own():
                    merge(self.ledger, [task])


def settle(settling: Settling, wanted: Mapping[Ticker, Wanted]) -> None:
    """Brings all that follows from the stored candles in line.

    Merges, coarser candles, account, state, export.
    """
    settling.merge()
    settling.derive()
    settling.account(wanted)
    settling.write_state(wanted)
    settling.export()


def _by_length(series: Series) -> int:
    return series.timeframe.minutes


def _expected(name: str, amount: int) -> Mapping[str, int]:
    return {name: amount} if amount else {}


def _not_listed_yet(outcome: TickerOutcome) -> IntervalSet:
    return IntervalSet(
        gap.interval for gap in outcome.gaps if gap.reason is GapReason.NOT_LISTED_YET
    )
