"""The record of a command that changes the store, beside those of the runs of ingest (rule F4)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from candle_ingestor.config import Config
from candle_ingestor.errors import DependencyError
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store, StoreUnavailableError

log = logging.getLogger(__name__)


@dataclass
class CommandRecord:
    """What a command did; docs/looking.md describes every key of its JSON.

    Attributes:
        command: its name.
        symbols: those that it works on.
        outcomes: of the symbols whose merged series or CSV it brought in line.
        candles: how many candles of exchanges it wrote.
        candles_removed: how many candles it removed, merged ones too.
        files_removed: how many CSV files it removed and did not write anew.
        has_failed: whether something else than a symbol could not be done.
        error: what ended it half-way; None for nothing.
    """

    command: str
    service_identifier: str
    started_ms: int
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    symbols: tuple[str, ...] = ()
    outcomes: Mapping[Ticker, TickerOutcome] = field(default_factory=dict)
    candles: int = 0
    candles_removed: int = 0
    files_removed: int = 0
    has_failed: bool = False
    error: str | None = None

    def name_symbols(self, series: Iterable[Series]) -> None:
        """Takes the symbols of these series as those that it works on."""
        self.symbols = tuple(map(str, sorted({each.symbol for each in series})))

    def running_json(self) -> dict[str, Any]:
        """The record of a command that begins; what `json` says at its end takes its place."""
        return {**self.json(0, None), "status": "running", "seconds": 0.0}

    def json(self, finished_ms: int, stop_reason: str | None) -> dict[str, Any]:
        """The record as JSON values."""
        has_failed = self.has_failed or any(each.errors for each in self.outcomes.values())
        status = "stopped" if stop_reason else "ok"
        if has_failed or self.error:
            status = "failed"
        return {
            "run_id": self.run_id,
            "service_identifier": self.service_identifier,
            "command": self.command,
            "status": status,
            "started": iso_text(self.started_ms),
            "started_ms": self.started_ms,
            "finished_ms": finished_ms,
            "seconds": (finished_ms - self.started_ms) / 1000,
            "stop_reason": stop_reason,
            "error": self.error,
            "symbols": list(self.symbols),
            "candles": self.candles,
            "candles_removed": self.candles_removed,
            "files_removed": self.files_removed,
            "tickers": [
                {
                    "symbol": outcome.symbol,
                    "timeframe": str(ticker.merged.timeframe),
                    "status": "failed" if outcome.errors else "ok",
                    "merged_candles": outcome.merged.candles,
                    "files_written": outcome.files_written,
                    "errors": outcome.errors,
                }
                for ticker, outcome in self.outcomes.items()
            ],
        }


@contextmanager
def recorded(
    command: str, config: Config, clock: Clock, store: Store, stop: StopSignal
) -> Iterator[CommandRecord]:
    """Keeps the record of what is done within: as running at its begin, as a whole at its end.

    Raises:
        StoreError: if the store cannot keep it.
    """
    record = CommandRecord(command, config.store.service_identifier, clock.now_ms())
    store.write_run(record.running_json())
    try:
        yield record
    except BaseException as error:
        record.error = str(error) or type(error).__name__
        # A store that is gone was waited for already.
        if not isinstance(error, StoreUnavailableError):
            try:
                _write_end(record, clock, store, stop)
            except DependencyError as unkept:
                log.error("The record of %s could not be kept in the store: %s", command, unkept)
        raise
    _write_end(record, clock, store, stop)


def _write_end(record: CommandRecord, clock: Clock, store: Store, stop: StopSignal) -> None:
    if record.error is None and stop.failure is not None:
        record.error = str(stop.failure)
    store.write_run(record.json(clock.now_ms(), stop.reason))
