"""The command ingest: the main job."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from pathlib import Path

from rich.console import Console

from candle_ingestor.commands.clients import make_clients
from candle_ingestor.commands.download_list import write_download_list
from candle_ingestor.commands.parts import (
    chosen_symbols,
    log_mode,
    make_progress,
    markets_cache,
)
from candle_ingestor.commands.report_table import print_report
from candle_ingestor.commands.report_words import ending
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import LOCK_LOST, OpenStore, open_store
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED, ConfigurationError
from candle_ingestor.exchanges.session import close_all
from candle_ingestor.ingest.choosing import strict_complaint
from candle_ingestor.ingest.report import RunReport, RunStatus
from candle_ingestor.ingest.report_json import report_json
from candle_ingestor.ingest.run import run_once
from candle_ingestor.ingest.run_parts import RunParts
from candle_ingestor.ingest.window import earliest_wanted_ms
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.run_lock import RunLockLostError
from candle_ingestor.operations.signals import stop_on_signals
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import (
    FullDiskError,
    require_writable,
    require_writable_file,
    write_named_file,
)
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)


def ingest(config: Config, clock: Clock, console: Console) -> int:
    """Runs the job once and prints its report.

    Returns:
        The exit code: 0 when every ticker is done, 1 when some failed (rule F3).

    Raises:
        CandleIngestorError: what ended the run half-way; its report is published before.
    """
    log_mode(config)
    _refuse_unwritable(config)
    symbols = chosen_symbols(config)
    stop = StopSignal(config.run.max_run_seconds)
    with open_store(config, clock, stop) as opened:
        log.info("Candles are kept in %s", opened.store.description)
        opened.store.require_retention(
            earliest_wanted_ms(config.candles, symbols.requests, clock.now_ms()), clock.now_ms()
        )
        report = asyncio.run(_run(config, symbols, opened, stop, clock))
    if report.failure is not None:
        _publish_failure(report, config, console)
        with stop.named_in_errors():
            raise report.failure
    _publish(report, config, console)
    if config.symbols.strict and (complaint := strict_complaint(symbols, len(report.dropped))):
        log.error("%s", complaint)
    return exit_code_of(report, config)


def exit_code_of(report: RunReport, config: Config) -> int:
    """The exit code of a run that went to its end (rule F3)."""
    if report.status is RunStatus.FAILED:
        return SOME_TICKERS_FAILED
    is_degraded = config.run.fail_when_degraded and report.troubles
    is_short = config.symbols.strict and (report.dropped or report.rejected_symbols)
    return SOME_TICKERS_FAILED if is_degraded or is_short else 0


def write_report(report: RunReport, path: Path) -> None:
    """Writes the report as JSON, whole or not at all.

    Raises:
        ConfigurationError: if the path cannot be written.
        FullDiskError: if the disk takes no more.
    """
    text = json.dumps(report_json(report), indent=2) + "\n"
    write_named_file("--run_report_path", path, text)


def _publish(report: RunReport, config: Config, console: Console) -> None:
    # First the file: who reads the tables may close the pipe.
    if config.run.run_report_path is not None:
        write_report(report, config.run.run_report_path)
    if config.run.download_list_path is not None:
        write_download_list(report.downloads, config.run.download_list_path)
    for ticker in report.tickers:
        if ticker.outcome.merged.candles:
            candles = f"{ticker.outcome.merged.candles:,}"
            log.info("Successfully processed %s candles for %s", candles, ticker.symbol)
    if config.run.report == "none":
        _log_report(report)
    elif report.tickers:
        print_report(report, console, is_full=config.run.report == "full")
    elif report.stop_reason is not None and report.failure is None:
        say(
            console,
            f"Run stopped by {report.stop_reason} before its symbols were known; "
            "nothing was fetched, and the same command goes on from here",
        )


def _log_report(report: RunReport) -> None:
    for ticker in report.failed_tickers:
        for error in ticker.errors:
            log.error("%s failed: %s", ticker.symbol, error)
    log.info("%s", ending(report))


def _publish_failure(report: RunReport, config: Config, console: Console) -> None:
    try:
        _publish(report, config, console)
    except (ConfigurationError, FullDiskError) as error:
        log.error("%s", error)


async def _run(
    config: Config,
    symbols: SymbolList,
    opened: OpenStore,
    stop: StopSignal,
    clock: Clock,
) -> RunReport:
    loop = asyncio.get_running_loop()

    def stop_without_lock(loss: RunLockLostError) -> None:
        request = partial(stop.request, LOCK_LOST, is_urgent=True, failure=loss)
        loop.call_soon_threadsafe(request)

    clients = make_clients(config.exchanges, symbols.bases, clock.now_ms)
    try:
        with (
            stop_on_signals(loop, stop),
            make_progress(config.run.progress, stop) as progress,
            opened.when_lock_lost(stop_without_lock),
        ):
            cache = markets_cache(config)
            # Closing takes a quarter of a second, which the export need not wait for.
            close = partial(close_all, clients)
            parts = RunParts(
                opened.store, clients, cache, clock, progress, stop, when_fetched=close
            )
            return await run_once(config, symbols, parts)
    finally:
        await close_all(clients)


def _refuse_unwritable(config: Config) -> None:
    if config.export.csv:
        require_writable("--data_root", config.export.data_root)
    for flag, path in (
        ("--run_report_path", config.run.run_report_path),
        ("--download_list_path", config.run.download_list_path),
    ):
        if path is not None:
            require_writable_file(flag, path)
