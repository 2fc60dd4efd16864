"""The command runs: past and present runs, and the report of one of them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from candle_ingestor.commands.fitting_table import Column, Kind, print_fitting
from candle_ingestor.commands.reading import (
    nothing_stored,
    print_json,
    print_plain,
    read_runs,
    reading,
)
from candle_ingestor.commands.saying import say
from candle_ingestor.completeness.runs import INGEST, figures_of, runs_csv, runs_json
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import counted, quoted, shortened
from candle_ingestor.operations.clock import Clock
from candle_ingestor.stores.base import Store

_FIRST_LOOK = 1_000
_MORE_A_LOOK = 10
_SHOWN_OF_ID = 8
_LONGEST_ERROR = 200
COLUMNS = (
    Column("run", 0, Kind.TEXT),
    Column("command", 3, Kind.TEXT),
    Column("started", 2, Kind.TEXT),
    Column("status", 1, Kind.TEXT),
    Column("seconds", 7),
    Column("complete", 5),
    Column("candles", 6),
    Column("gaps left", 4),
)
_COLOURS = {
    "ok": "green",
    "running": "cyan",
    "degraded": "yellow",
    "stopped": "yellow",
    "failed": "red",
    "interrupted": "red",
}


def runs(config: Config, clock: Clock, console: Console) -> int:
    """Tells of the newest runs, or shows the report of the one that is named.

    Returns:
        0, also where there was no run yet.

    Raises:
        ConfigurationError: if no run, or more than one, is called as the one that is named.
        StoreError: if the store cannot be read.
    """
    with reading(config, clock) as store:
        if config.run.words:
            report = _named(config.run.words[0], _all_runs(config, store))
            _print_one(report, config, console)
            return 0
        found = read_runs(config, store, config.run.newest)
    if config.run.format == "json":
        print_json(console, runs_json(found, store.description))
    elif config.run.format == "csv":
        print_plain(console, runs_csv(found))
    elif found:
        _print_all(found, console)
    else:
        say(console, nothing_stored(store))
    return 0


def _all_runs(config: Config, store: Store) -> list[dict[str, Any]]:
    """Every run that the store has, newest first; nearly always the first look is enough."""
    newest = _FIRST_LOOK
    found = read_runs(config, store, newest)
    while len(found) == newest:
        newest *= _MORE_A_LOOK
        found = read_runs(config, store, newest)
    return found


def _named(word: str, known: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    meant = [run for run in known if run["run_id"].startswith(word)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = counted(len(meant), "run")
        raise ConfigurationError(f"{several} begin with {quoted(word)}; give more of the name")
    raise ConfigurationError(
        f"no run is called {quoted(word)}; candle-ingestor runs lists their names"
    )


def _print_all(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    rows: list[list[str | Text]] = []
    for run in found:
        figures = figures_of(run)
        status = figures["status"]
        rows.append(
            [
                figures["run_id"][:_SHOWN_OF_ID],
                figures["command"],
                figures["started"],
                Text(status, style=_COLOURS.get(status, "")),
                "" if figures["seconds"] is None else f"{figures['seconds']:,.1f}",
                *_counts(figures),
            ]
        )
    print_fitting(COLUMNS, rows, console)
    for run in found:
        if run.get("error"):
            said = shortened(str(run["error"]), _LONGEST_ERROR)
            say(console, f"{run['run_id'][:_SHOWN_OF_ID]} failed: {said}", "red")
    say(console, "candle-ingestor runs NAME shows the report of one.")


def _counts(figures: Mapping[str, Any]) -> tuple[str, str, str]:
    """Complete symbols, candles, gaps left; what is not known is blank."""
    candles = _number(figures["candles"])
    if figures["candles_removed"]:
        candles = f"-{figures['candles_removed']:,}"
    complete = ""
    if figures["symbols_complete"] is not None:
        complete = f"{figures['symbols_complete']}/{figures['symbols_wanted']}"
    return complete, candles, _number(figures["gap_candles"])


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _print_one(report: Mapping[str, Any], config: Config, console: Console) -> None:
    if config.run.format == "json":
        print_json(console, report)
        return
    if config.run.format == "csv":
        print_plain(console, runs_csv([report]))
        return
    figures = figures_of(report)
    if figures["command"] != INGEST:
        _say_command(report, figures, console)
        return
    table = Table(
        title=f"Run {figures['run_id']}, {figures['timeframe']} candles",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("exchange", no_wrap=True)
    names = ("requests", "candles", "seconds", "retries", "failed_pages")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for exchange, totals in report.get("exchange_totals", {}).items():
        table.add_row(exchange, *(f"{totals[name]:,}" for name in names))
    console.print(table)
    for exchange, trouble in report.get("exchange_troubles", {}).items():
        say(console, f"{exchange}: {trouble['error']}", "yellow")
    for ticker in report.get("tickers", ()):
        _say_ticker(ticker, console)
    for symbol, lacking in report.get("dropped_symbols", {}).items():
        say(console, f"{symbol} was left out: {', '.join(lacking)} do not list it")
    status = figures["status"]
    say(console, f"Run {status}: {_ending(figures)}", _COLOURS.get(status, ""))


def _say_command(report: Mapping[str, Any], figures: Mapping[str, Any], console: Console) -> None:
    say(console, f"Run {figures['run_id']}: {figures['command']}")
    for ticker in report["tickers"]:
        changed = counted(ticker["merged_candles"], "merged candle")
        written = counted(len(ticker["files_written"]), "CSV file")
        timed = f"{ticker['symbol']} {ticker['timeframe']}"
        say(console, f"{timed}: {changed} changed, {written} written")
        for error in ticker["errors"]:
            say(console, f"  failed: {error}", "red")
    removed = ", ".join(
        counted(figures[name], thing)
        for name, thing in (("candles_removed", "candle"), ("files_removed", "CSV file"))
        if figures[name]
    )
    if removed:
        say(console, f"Removed: {removed}")
    if figures["candles"]:
        say(console, f"Written: {counted(figures['candles'], 'candle')} of exchanges")
    status = figures["status"]
    parts = [f"started {figures['started']}"]
    parts += [f"ended {figures['finished']}"] if figures["finished"] else []
    parts += [str(figures[name]) for name in ("stop_reason", "error") if figures[name]]
    say(console, f"Run {status}: {'; '.join(parts)}", _COLOURS.get(status, ""))


def _say_ticker(ticker: Mapping[str, Any], console: Console) -> None:
    known, wanted = ticker["covered_candles"], ticker["wanted_candles"]
    gaps = ", ".join(f"{count:,} {reason}" for reason, count in ticker["gap_candles"].items())
    said = f"{ticker['symbol']}: {known:,} of {wanted:,} known"
    say(console, said + (f", {gaps}" if gaps else ""))
    for error in ticker["errors"]:
        say(console, f"  failed: {error}", "red")


def _ending(figures: Mapping[str, Any]) -> str:
    parts = [f"started {figures['started']}"]
    if figures["finished"]:
        parts.append(f"ended {figures['finished']}")
    if figures["symbols_complete"] is None:
        parts.append("how much it left missing is not known")
    else:
        parts.append(f"{figures['symbols_complete']} of {figures['symbols_wanted']} complete")
    parts += [str(figures[name]) for name in ("stop_reason", "error") if figures[name]]
    return "; ".join(parts)
