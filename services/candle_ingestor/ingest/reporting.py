"""How a run's report begins, and how it ends in the store (rule F4)."""

from __future__ import annotations

import logging
import uuid

from candle_ingestor.config import Config
from candle_ingestor.errors import DependencyError
from candle_ingestor.ingest.report import RunReport
from candle_ingestor.ingest.report_json import report_json
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)


def begun_report(config: Config, symbols: SymbolList, started_ms: int) -> RunReport:
    """The report of a run that does what is configured, before it has done anything."""
    timeframe = config.candles.timeframe
    return RunReport(
        run_id=uuid.uuid4().hex,
        started_ms=started_ms,
        exchanges=config.exchanges.names,
        min_exchanges=config.rules.min_exchanges,
        timeframe=str(timeframe),
        duration_ms=timeframe.duration_ms,
        rejected_symbols=[f"{item.shown} {item.reason}" for item in symbols.rejected],
        max_price_deviation_pct=config.rules.max_price_deviation_pct,
        symbols_wanted=len(symbols.requests) + len(symbols.rejected),
        is_export_wanted=config.export.csv,
        service_identifier=config.store.service_identifier,
        symbols=tuple(str(request.symbol) for request in symbols.requests),
    )


def end_report(report: RunReport, stop: StopSignal, store: Store, finished_ms: int) -> None:
    """Says how the run ended, and keeps the report in the store; if that fails, the run failed."""
    report.finished_ms = finished_ms
    report.stop_reason = stop.reason
    if report.failure is None and stop.failure is not None:
        report.failure = stop.failure
        report.error = str(report.failure)
    if isinstance(report.failure, StoreUnavailableError):
        # It was waited for already.
        return
    try:
        store.write_run(report_json(report))
    except DependencyError as error:
        log.error("The run report could not be kept in the store: %s", error)
        if report.failure is None:
            report.failure = error
            report.error = str(error)
