"""The command verify: is what is stored what exchanges, merge rules and partitions say?"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product

from rich.console import Console

from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.reading import nothing_stored, print_json, reading, shown_series
from candle_ingestor.commands.recording import CommandRecord, recorded
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import open_store, require_store
from candle_ingestor.commands.stored import SettlingParts, settle_dependents
from candle_ingestor.commands.verify_exchanges import VerifyParts, compare_with_exchanges
from candle_ingestor.commands.verify_table import print_verification
from candle_ingestor.completeness.export_roots import export_roots
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED, ConfigurationError, DependencyError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.intervals import END_OF_TIME_MS, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.signals import stop_on_signals
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.derived import is_derived
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store
from candle_ingestor.verify.counts import (
    count_differences,
    keep_counts,
    miscounted,
    still_miscounted,
)
from candle_ingestor.verify.findings import Kind, minutes_of
from candle_ingestor.verify.merged import made_pieces, repaired_piece
from candle_ingestor.verify.partitions import FolderChecked, check_folder
from candle_ingestor.verify.report import MergedChecked, VerifyReport, verify_json

log = logging.getLogger(__name__)

_SEEDS = 1 << 31


def verify(config: Config, clock: Clock, console: Console) -> int:
    """Compares what is stored, and says what differs; with --repair it is replaced.

    Without --repair nothing is written and no lock is taken: a job may run meanwhile. With it the
    store keeps a record of the repair.

    Returns:
        0 if all agrees, or does after the repair; 1 if something differs; 3 if an exchange could
        not be asked.

    Raises:
        ConfigurationError: if a symbol is named that the store knows nothing of, and where there
            is no store.
        RunLockHeldError: if another run holds the lock that a repair needs.
        StoreError: if the store cannot be used.
    """
    if config.run.format == "csv":
        raise ConfigurationError("--format=csv: verify prints text or json; give one of them")
    require_store(config, clock)
    config = replace(config, uses_redis=config.names_redis)
    stop = StopSignal(config.run.max_run_seconds)
    with (
        _opened(config, clock, stop) as store,
        make_progress(config.run.progress, stop) as progress,
    ):
        ledger = Ledger(store)
        if not ledger.records and config.run.format == "text":
            say(console, nothing_stored(store))
            return 0
        work = _Verification(config, clock, store, ledger, stop, progress)
        if not config.verify.repairs or not ledger.records:
            report = work.execute()
        else:
            with recorded("verify", config, clock, store, stop) as record:
                report = work.execute(record)
    if stop.failure is not None:
        raise stop.failure
    if config.run.format == "json":
        print_json(console, verify_json(report, store.description, clock.now_ms()))
    else:
        print_verification(report, console)
    return exit_code_of(report)


def exit_code_of(report: VerifyReport) -> int:
    """The exit code of a verification that went to its end (rule F3)."""
    if report.status == "differs":
        return SOME_TICKERS_FAILED
    return DependencyError.exit_code if report.is_short else 0


@contextmanager
def _opened(config: Config, clock: Clock, stop: StopSignal) -> Iterator[Store]:
    if not config.verify.repairs:
        with reading(config, clock) as store, stop_on_signals(None, stop):
            yield store
        return
    with (
        open_store(config, clock, stop) as opened,
        opened.stopped_without_lock(stop),
    ):
        yield opened.store


@dataclass
class _Verification:
    config: Config
    clock: Clock
    store: Store
    ledger: Ledger
    stop: StopSignal
    progress: Progress
    changed: set[Series] = field(default_factory=set)

    def execute(self, record: CommandRecord | None = None) -> VerifyReport:
        """Compares, repairs if that is wanted, and fills the record of it."""
        config, wanted = self.config, self.config.verify
        now_ms = self.clock.now_ms()
        start_ms = None if wanted.start is None else wanted.start.start_ms(now_ms)
        end_ms = None if wanted.end is None else wanted.end.start_ms(now_ms)
        seed = None
        if wanted.sample is not None and wanted.asks_exchanges:
            seed = random.SystemRandom().randrange(_SEEDS) if wanted.seed is None else wanted.seed
        sample = wanted.sample if wanted.asks_exchanges else None
        report = VerifyReport(sample, seed, start_ms, end_ms, wanted.repairs)
        self.within = IntervalSet.of(start_ms or 0, END_OF_TIME_MS if end_ms is None else end_ms)
        chosen = self._chosen()
        if wanted.asks_exchanges:
            series = [s for s in chosen if not s.is_merged and not is_derived(self.ledger, s)]
            parts = VerifyParts(
                config, self.clock, self.store, self.ledger, self.stop, self.progress
            )
            self.changed |= compare_with_exchanges(parts, series, self.within, report)
        if wanted.remakes_merged:
            self._compare_merged([s for s in chosen if self.ledger.record(s).sources], report)
        folders: list[FolderChecked] = []
        if wanted.reads_partitions:
            folders = self._compare_partitions(chosen)
            report.folders = folders
            report.other_roots = self._other_roots(chosen)
        outcomes: Mapping[Ticker, TickerOutcome] = {}
        if wanted.repairs:
            outcomes = self._settle(folders, report)
        self._note_partitions(folders, report)
        self._compare_counts(chosen, report)
        report.stop_reason = self.stop.reason
        if record is not None:
            record.name_symbols(self.changed | {ticker.merged for ticker in outcomes})
            record.candles = report.candles_changed - _merged_candles(outcomes)
            record.outcomes = outcomes
            record.has_failed = report.status == "differs"
        return report

    def _chosen(self) -> list[Series]:
        """Every series that is asked for, merged ones and exchanges' own."""
        config = self.config
        found = shown_series(
            replace(config, run=replace(config.run, by_exchange=True)), self.ledger
        )
        if not config.is_typed("exchanges"):
            return found
        names = config.exchanges.names
        return [each for each in found if each.is_merged or each.exchange in names]

    def _compare_merged(self, chosen: list[Series], report: VerifyReport) -> None:
        candles = sum(
            (self.ledger.record(s).covered & self.within).duration_ms // s.timeframe.duration_ms
            for s in chosen
        )
        self.progress.begin("Merging again", {"candles": candles} if candles else None)
        for series in chosen:
            checked = report.merged[series] = MergedChecked(series)
            for piece in made_pieces(self.ledger, series, self.within):
                if self.stop.is_set():
                    return
                if piece.is_known:
                    checked.compared += piece.candles
                    self.progress.advance("candles", piece.candles)
                found = piece.differences
                if found and not report.repairs:
                    # A job may have merged it anew since the records were read.
                    again = made_pieces(Ledger(self.store), series, minutes_of(found))
                    found = [each for one in again for each in one.differences]
                for difference in found:
                    report.findings.add(difference, is_repaired=report.repairs)
                if found and report.repairs:
                    (kept,) = self.ledger.replace([repaired_piece(piece, minutes_of(found))])
                    report.candles_changed += kept.new + kept.revised
                    self.changed.update(self.ledger.record(series).sources)

    def _compare_counts(self, chosen: list[Series], report: VerifyReport) -> None:
        """Last, since a repair goes by the numbers that were told before."""
        if self.stop.is_set():
            return
        ledger = self.ledger
        dependents = {merged for each in self.changed for merged in ledger.dependents(each)}
        wrong = miscounted(ledger, {*chosen, *self.changed, *dependents}, self.within)
        if wrong and not report.repairs:
            # A job may have written since the records were read.
            ledger = Ledger(self.store)
            wrong = miscounted(ledger, wrong.keys() & ledger.records.keys(), self.within)
            wrong = still_miscounted(ledger, Ledger(self.store), wrong)
        for difference in count_differences(ledger, wrong):
            report.findings.add(difference, is_repaired=report.repairs)
        if report.repairs:
            keep_counts(ledger, wrong)

    def _compare_partitions(self, chosen: list[Series]) -> list[FolderChecked]:
        self.progress.begin("Comparing partitions")
        root = self.config.export.data_root
        if self.config.is_given("data_root") and not root.is_dir():
            log.warning("--data_root: there is no folder %s; no partition was compared", root)
        folders = []
        for series, file_format in product(chosen, ExportFormat):
            if self.stop.is_set():
                break
            checked = self._folder(self.ledger, series, file_format)
            if checked is not None and checked.differences and not self.config.verify.repairs:
                checked = self._folder(Ledger(self.store), series, file_format)
            if checked is not None:
                folders.append(checked)
        return folders

    def _other_roots(self, chosen: list[Series]) -> list[str]:
        """Where else the store remembers exports of these series to."""
        roots = export_roots(map(self.ledger.record, chosen))
        mine = str(self.config.export.data_root.resolve())
        return [root for root in roots if root != mine]

    def _folder(
        self, ledger: Ledger, series: Series, file_format: ExportFormat
    ) -> FolderChecked | None:
        closed_end_ms = series.timeframe.closed_end_ms(
            self.clock.now_ms(), self.config.candles.settle_seconds
        )
        root = self.config.export.data_root
        return check_folder(ledger, root, file_format, series, self.within, closed_end_ms)

    def _settle(
        self, folders: list[FolderChecked], report: VerifyReport
    ) -> Mapping[Ticker, TickerOutcome]:
        differing = [folder for folder in folders if folder.differences]
        changed = set(self.changed)
        for folder in differing:
            changed.update(self.ledger.record(folder.series).sources or (folder.series,))
        if not changed:
            return {}
        export = self.config.export
        export = replace(
            export,
            csv=export.csv and export.data_root.is_dir(),
            mends=True,
            formats=tuple({folder.file_format: None for folder in folders}) or export.formats,
            exchange_candles=export.exchange_candles
            or any(not folder.series.is_merged for folder in differing),
        )
        settled = settle_dependents(
            replace(self.config, export=export),
            self.ledger,
            changed,
            SettlingParts(
                self.clock.now_ms(),
                lambda: self.stop.is_urgent,
                self.progress,
                exports_everything=bool(differing),
            ),
        )
        for outcome in settled.values():
            report.candles_changed += outcome.merged.candles
            report.files_written += outcome.files_written
            report.errors += [f"{outcome.symbol}: {error}" for error in outcome.errors]
        return settled

    def _note_partitions(self, folders: list[FolderChecked], report: VerifyReport) -> None:
        for folder in folders:
            left: set[tuple[Kind, object]] = set()
            if report.repairs and folder.differences:
                again = self._folder(self.ledger, folder.series, folder.file_format)
                left = {(d.kind, d.month) for d in again.differences} if again else set()
            for difference in folder.differences:
                is_left = (difference.kind, difference.month) in left
                report.findings.add(difference, is_repaired=report.repairs and not is_left)


def _merged_candles(outcomes: Mapping[Ticker, TickerOutcome]) -> int:
    return sum(outcome.merged.candles for outcome in outcomes.values())
