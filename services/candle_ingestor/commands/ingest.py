"""The command ingest: the main job."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from candle_ingestor.commands.parts import (
    load_symbols,
    log_mode,
    make_parts,
    make_progress,
)
from candle_ingestor.commands.report_table import print_report
from candle_ingestor.commands.storage import OpenStore, open_store
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ingest.report import RunReport, RunStatus
from candle_ingestor.ingest.run import run_ingest
from candle_ingestor.ingest.window import window_of
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)

SOME_TICKERS_FAILED = 1


def ingest(config: Config, clock: Clock, console: Console, progress: str) -> int:
    """Runs the job once and prints its report.

    Returns:
        The exit code: 0 when every ticker is done, 1 when some failed (rule F3).
    """
    log_mode(config)
    _refuse_unwritable(config)
    symbols = load_symbols(config)
    reports: list[RunReport] = []
    try:
        stop = StopSignal(config.max_run_seconds)
        with open_store(config, clock, stop) as opened:
            opened.store.require_retention(_earliest_ms(config, symbols, clock), clock.now_ms())
            asyncio.run(
                _run(config, symbols, opened, stop, clock, console, progress, reports.append)
            )
    except BaseException:
        for report in reports:
            _publish_failure(report, config, console)
        raise
    _publish(reports[0], config, console)
    return SOME_TICKERS_FAILED if reports[0].status is RunStatus.FAILED else 0


def write_report(report: RunReport, path: Path) -> None:
    """Writes the report as JSON, whole or not at all.

    Raises:
        ConfigurationError: if the path cannot be written.
    """
    text = json.dumps(report.to_json(), indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".run-report-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"--run_report_path: cannot write {path}: {error.strerror}"
        ) from error


def _publish(report: RunReport, config: Config, console: Console) -> None:
    # First the file: who reads the tables may close the pipe.
    if config.run_report_path is not None:
        write_report(report, config.run_report_path)
    if report.tickers:
        print_report(report, console)


def _publish_failure(report: RunReport, config: Config, console: Console) -> None:
    try:
        _publish(report, config, console)
    except ConfigurationError as error:
        log.error("%s", error)


async def _run(
    config: Config,
    symbols: SymbolList,
    opened: OpenStore,
    stop: StopSignal,
    clock: Clock,
    console: Console,
    progress: str,
    on_finished: Callable[[RunReport], None],
) -> None:
    _stop_on_signals(stop)
    loop = asyncio.get_running_loop()

    def stop_without_lock(why: str) -> None:
        log.error("%s; finishing the pages in hand, then leaving", why)
        loop.call_soon_threadsafe(partial(stop.request, why, is_urgent=True))

    with make_progress(progress, console) as bars, opened.when_lock_lost(stop_without_lock):
        parts = make_parts(config, opened.store, clock, stop, bars)
        await run_ingest(config, symbols, parts, on_finished)


def _earliest_ms(config: Config, symbols: SymbolList, clock: Clock) -> int:
    windows = [window_of(config, request, clock.now_ms()) for request in symbols.requests]
    return min(
        window.end_ms - window.catch_up_initial_ms if window.start_ms is None else window.start_ms
        for window in windows
    )


def _stop_on_signals(stop: StopSignal) -> None:
    loop = asyncio.get_running_loop()

    def ask_to_stop(name: str) -> None:
        log.warning("%s: finishing the pages in hand, then leaving", name)
        stop.request(name, is_urgent=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)


def _refuse_unwritable(config: Config) -> None:
    if config.export_csv:
        require_writable("--data_root", config.data_root)
    if config.run_report_path is not None:
        require_writable("--run_report_path", config.run_report_path.parent)
        if config.run_report_path.is_dir():
            raise ConfigurationError(
                f"--run_report_path: {config.run_report_path} is a folder; name a file in it"
            )
