"""Measures what docs/sizing.md says, and writes it there: `make sizing`.

Runs of the real job against simulated exchanges, at the pace that ccxt describes for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from influxd import InfluxdProcess, find_influxd
from measuring import cost_of_child
from real_influxdb import NO_SERVER, influx_server
from simulated import MINUTE_MS, Simulator, simulator

from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import DIALECTS
from exchange_simulator.traits import EXCHANGE_TRAITS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sizing.md"
START_MS = 1_678_874_400_000  # 2023-03-15T10:00:00Z
BEAT_SECONDS = 300
YEAR_MINUTES = 525_600
PACED_SYMBOLS = 20
THREE = ("binanceus", "bitstamp", "coinbaseexchange")
SYMBOL_COUNTS = (1, 20, 100)
STORED_DAYS = 60
HISTORY_DAYS = (2, 30, 120, 365)
INFLUXDB_DAYS = 20


@dataclass(frozen=True)
class Beat:
    """A run that found five new minutes: how often it asked, and how long it took."""

    requests: int
    run_seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the tables, write nothing")
    parser.add_argument("--only", help="measure this table only: pace, memory, history, bytes")
    arguments = parser.parse_args()
    is_printed, only = arguments.print, arguments.only
    tables = {
        "pace": pace_table,
        "memory": memory_table,
        "history": history_table,
        "bytes": bytes_table,
    }
    for name, measure in tables.items():
        if only not in (None, name):
            continue
        lines = measure()
        print("\n".join(lines), flush=True)
        if not is_printed:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(with_table(page, name, lines), encoding="utf-8")
    return 0


def with_table(text: str, name: str, lines: Sequence[str]) -> str:
    """The page with the lines between the two marks of this name."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} has no place for {name}")
    return before + start + "\n".join(lines) + "\n" + end + after


def pace_table() -> list[str]:
    """What a beat of five minutes and a year of history take of each exchange's pace."""
    columns = (
        *("exchange", "candles a page", "seconds a request", "requests a symbol a beat"),
        *("symbols in a beat", "minutes for a year of one symbol"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---|---:|---:|---:|---:|---:|"]
    for exchange in DIALECTS:
        few, many = (beat(exchange, count) for count in (1, PACED_SYMBOLS + 1))
        requests = (many.requests - few.requests) / PACED_SYMBOLS
        seconds = max(many.run_seconds - few.run_seconds, 0.0) / PACED_SYMBOLS
        page_candles = HABITS[exchange].page_candles
        in_a_beat = (BEAT_SECONDS - few.run_seconds) / seconds
        year_minutes = seconds / requests * YEAR_MINUTES / page_candles / 60
        year = "not to be had" if HABITS[exchange].reach_in(Timeframe(1)) else f"{year_minutes:.1f}"
        lines.append(
            f"| {exchange} | {page_candles:,} | {seconds / requests:.3f} | {requests:.1f} "
            f"| {_rounded(in_a_beat):,} | {year} |"
        )
    return lines


def beat(exchange: str, count: int) -> Beat:
    """A paced run for so many symbols of one exchange, five minutes after the one before."""
    names = names_of(count, "USDT" if "USD" in EXCHANGE_TRAITS[exchange].unlisted_quotes else "USD")
    with market(names, [exchange], days=1) as (folder, exchanges):
        flags = flags_of(folder, minutes=60)
        cost_of_child(exchanges.job(folder, names, START_MS, *flags))
        now_ms = START_MS + 5 * MINUTE_MS + MINUTE_MS // 2
        exchanges.set_clock(now_ms)
        cost_of_child(exchanges.job(folder, names, now_ms, *flags, is_paced=True))
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    sources = [s for ticker in report["tickers"] for s in ticker["exchanges"].values()]
    return Beat(sum(source["requests"] for source in sources), report["seconds"])


def memory_table() -> list[str]:
    """Peak memory and processor time of a beat and of a first run of a day."""
    lines = [
        "| symbols | exchanges | store | first run of a day: memory | CPU | beat: memory | CPU |",
        "|---:|---:|---|---:|---:|---:|---:|",
    ]
    lines += [
        memory_line(count, exchanges_named, "SQLite", (), {})
        for count in SYMBOL_COUNTS
        for exchanges_named in (THREE[:1], THREE)
    ]
    with influx_server() as server:
        if server is None:
            raise SystemExit(NO_SERVER)
        with server.bucket() as bucket:
            token = {"INFLUXDB_TOKEN": bucket.token}
            lines.append(
                memory_line(SYMBOL_COUNTS[-1], THREE, "InfluxDB", influxdb_flags(bucket), token)
            )
    return lines


def memory_line(
    count: int,
    exchanges_named: Sequence[str],
    store: str,
    flags_of_store: Sequence[str],
    environment: dict[str, str],
) -> str:
    names = names_of(count)
    with market(names, exchanges_named, days=2) as (folder, exchanges):
        flags = (*flags_of(folder, minutes=1440), *flags_of_store)
        first = cost_of_child(exchanges.job(folder, names, START_MS, *flags), environment)
        now_ms = START_MS + 5 * MINUTE_MS + MINUTE_MS // 2
        exchanges.set_clock(now_ms)
        following = cost_of_child(exchanges.job(folder, names, now_ms, *flags), environment)
    return (
        f"| {count} | {len(exchanges_named)} | {store} | {first.peak_mb:,.0f} MB "
        f"| {first.cpu_seconds:.1f} s | {following.peak_mb:,.0f} MB "
        f"| {following.cpu_seconds:.1f} s |"
    )


def history_table() -> list[str]:
    """Peak memory and processor time of a first run by the length of its history."""
    lines = [
        "| days of history | candles fetched | memory | CPU |",
        "|---:|---:|---:|---:|",
    ]
    names = names_of(2)
    for days in HISTORY_DAYS:
        with market(names, THREE, days=days + 1) as (folder, exchanges):
            flags = flags_of(folder, minutes=days * 1440)
            cost = cost_of_child(exchanges.job(folder, names, START_MS, *flags))
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        sources = [s for ticker in report["tickers"] for s in ticker["exchanges"].values()]
        candles = sum(source["candles"] for source in sources)
        lines.append(
            f"| {days} | {candles:,} | {cost.peak_mb:,.0f} MB | {cost.cpu_seconds:.1f} s |"
        )
    return lines


def bytes_table() -> list[str]:
    """What a row takes, by store and file."""
    lines = ["| kept in | rows measured | bytes a row |", "|---|---:|---:|"]
    names = names_of(2)
    with market(names, THREE, days=STORED_DAYS + 1) as (folder, exchanges):
        flags = flags_of(folder, minutes=STORED_DAYS * 1440)
        cost_of_child(exchanges.job(folder, names, START_MS, *flags))
        csv = list((folder / "csv").rglob("*.csv"))
        csv_rows = sum(len(path.read_text().splitlines()) - 1 for path in csv)
        rows = csv_rows * (1 + len(THREE))
        size = (folder / "candles.sqlite").stat().st_size
        lines.append(
            f"| SQLite, exchange and merged candles alike | {rows:,} | {size / rows:.0f} |"
        )
        csv_size = sum(path.stat().st_size for path in csv)
        lines.append(f"| CSV, merged candles | {csv_rows:,} | {csv_size / csv_rows:.0f} |")
    binary = find_influxd()
    if binary is None:
        raise SystemExit(NO_SERVER)
    with market(names, THREE, days=INFLUXDB_DAYS + 1) as (folder, exchanges):
        process = InfluxdProcess(binary, folder / "influxd")
        process.start()
        try:
            lines.append(influxdb_line(process, folder, exchanges, names))
        finally:
            process.stop()
    return lines


def influxdb_line(
    process: InfluxdProcess, folder: Path, exchanges: Simulator, names: list[str]
) -> str:
    with process.server.bucket() as bucket:
        flags = (*flags_of(folder, minutes=INFLUXDB_DAYS * 1440), *influxdb_flags(bucket))
        command = exchanges.job(folder, names, START_MS, *flags)
        cost_of_child(command, {"INFLUXDB_TOKEN": bucket.token})
        csv = (folder / "csv").rglob("*.csv")
        rows = sum(len(path.read_text().splitlines()) - 1 for path in csv) * (1 + len(THREE))
        engine = folder / "influxd" / "engine"
        size = sum(path.stat().st_size for path in engine.rglob("*") if path.is_file())
    return (
        "| InfluxDB, just written: before it compacts, log included "
        f"| {rows:,} | {size / rows:.0f} |"
    )


def influxdb_flags(bucket: InfluxDbConnection) -> tuple[str, ...]:
    return (
        "--store=influxdb",
        f"--influxdb_url={bucket.url}",
        f"--influxdb_org={bucket.org}",
        f"--influxdb_bucket={bucket.bucket}",
    )


def flags_of(folder: Path, *, minutes: int) -> list[str]:
    return [
        "--backfill_start_date=skip",
        f"--catch_up_initial_days={minutes / 1440}",
        f"--run_report_path={folder / 'report.json'}",
    ]


@contextmanager
def market(
    names: list[str], exchanges: Sequence[str], *, days: int
) -> Iterator[tuple[Path, Simulator]]:
    """A folder, and exchanges that list these symbols since so many days before the start."""
    flags = (f"--symbols={','.join(names)}", f"--synthetic_days={days}")
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(Path(folder), exchanges, START_MS, *flags) as started,
    ):
        yield Path(folder), started


def names_of(symbols: int, quote: str = "USD") -> list[str]:
    return [f"C{number:03}/{quote}" for number in range(symbols)]


def _rounded(number: float) -> int:
    """To two digits: more would claim more than was measured."""
    return int(float(f"{number:.1e}"))


if __name__ == "__main__":
    sys.exit(main())
