"""The command ingest: the main job."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import tempfile
from pathlib import Path

from rich.console import Console

from candle_ingestor.commands.parts import (
    load_symbols,
    log_mode,
    make_parts,
    make_progress,
    open_store,
)
from candle_ingestor.commands.report_table import print_report
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ingest.report import RunReport, RunStatus
from candle_ingestor.ingest.run import run_ingest
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.stores.base import Store
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
    with open_store(config, clock) as store:
        report = asyncio.run(_run(config, symbols, store, clock, console, progress))
    print_report(report, console)
    if config.run_report_path is not None:
        write_report(report, config.run_report_path)
    return SOME_TICKERS_FAILED if report.status is RunStatus.FAILED else 0


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


async def _run(
    config: Config,
    symbols: SymbolList,
    store: Store,
    clock: Clock,
    console: Console,
    progress: str,
) -> RunReport:
    stop = StopSignal(config.max_run_seconds)
    _stop_on_signals(stop)
    with make_progress(progress, console) as bars:
        return await run_ingest(config, symbols, make_parts(config, store, clock, stop, bars))


def _stop_on_signals(stop: StopSignal) -> None:
    loop = asyncio.get_running_loop()

    def ask_to_stop(name: str) -> None:
        log.warning("%s: finishing the pages in hand, then leaving", name)
        stop.request(f"signal {name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)


def _refuse_unwritable(config: Config) -> None:
    require_writable("--sqlite_path", config.sqlite_path.parent)
    if config.export_csv:
        require_writable("--data_root", config.data_root)
    if config.run_report_path is not None:
        require_writable("--run_report_path", config.run_report_path.parent)
