"""The job as a subprocess, simulated exchanges, and the exact truth of what it must store."""

import gzip
import json
import math
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bucket_contents import without_place_and_past
from job_server import JobProcess, JobServer
from terminal import Terminal

import candle_loader
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import (
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

ROOT = Path(__file__).resolve().parents[2]
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Finished:
    """A job that has ended. `report` is what it wrote to --run_report_path, None if nothing."""

    exit_code: int
    output: str
    errors: str
    report: dict[str, Any] | None

    @property
    def complaint(self) -> str:
        """The one line that a failed job ends with."""
        return self.errors.splitlines()[-1]

    def ticker(self, symbol: str) -> dict[str, Any]:
        """A symbol's part of the report."""
        assert self.report is not None, self.errors
        return next(t for t in self.report["tickers"] if t["symbol"] == symbol)


class StoredCandle(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: float
    source_exchanges: str = ""
    exchange_count: int = 0


Spans = list[tuple[int, int]]


class StoredData:
    """What is in the job's SQLite file and CSV folder, read without the job's own code.

    A copy of the file is read, so that looking leaves it and its write-ahead log untouched.
    """

    def __init__(self, sqlite_path: Path, data_root: Path) -> None:
        self.sqlite_path = sqlite_path
        self.data_root = data_root

    def merged(self, symbol: str, timeframe: str = "1m") -> dict[int, StoredCandle]:
        rows = self._select(
            "SELECT open_time_ms, open, high, low, close, volume, source_exchanges, exchange_count "
            "FROM candles WHERE currency_pair = ? AND timeframe = ?",
            symbol,
            timeframe,
        )
        return {row[0]: StoredCandle(*row[1:]) for row in rows}

    def of_exchange(
        self, exchange: str, symbol: str, timeframe: str = "1m"
    ) -> dict[int, StoredCandle]:
        rows = self._select(
            "SELECT open_time_ms, open, high, low, close, volume FROM exchange_candles "
            "WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
            exchange,
            symbol,
            timeframe,
        )
        return {row[0]: StoredCandle(*row[1:]) for row in rows}

    def coverage(self, exchange: str, symbol: str, timeframe: str = "1m") -> Spans:
        """The covered intervals of a series; `aggregated` is the merged one."""
        covered = self.record(exchange, symbol, timeframe)["coverage"]["covered"]
        return [(start, end) for start, end in covered]

    def record(self, exchange: str, symbol: str, timeframe: str = "1m") -> dict[str, Any]:
        rows = self._select(
            "SELECT record FROM candle_coverage "
            "WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
            exchange,
            symbol,
            timeframe,
        )
        found: dict[str, Any] = json.loads(rows[0][0]) if rows else {"coverage": {"covered": []}}
        return found

    def state(self) -> dict[str, int]:
        return dict(self._select("SELECT key, last_processed_timestamp_ms FROM processing_state"))

    def runs(self) -> list[dict[str, Any]]:
        rows = self._select("SELECT report FROM ingestion_runs ORDER BY started_ms")
        return [json.loads(row[0]) for row in rows]

    def contents(self) -> dict[str, list[Any]]:
        """Everything in the file but the records of runs, and the folder that the job works in."""
        coverage = self._select("SELECT * FROM candle_coverage ORDER BY 1, 2, 3")
        return {
            "candles": self._select("SELECT * FROM candles ORDER BY 1, 2, 3"),
            "exchange_candles": self._select("SELECT * FROM exchange_candles ORDER BY 1, 2, 3, 4"),
            "coverage": [(*key, without_place_and_past(record)) for *key, record in coverage],
            "state": self._select("SELECT * FROM processing_state ORDER BY 1, 2"),
        }

    def exported(
        self, symbol: str, exchange: str = "aggregated", timeframe: str = "1m"
    ) -> candle_loader.Candles:
        return candle_loader.load(self.data_root, exchange, symbol, timeframe=timeframe)

    def manifest(self, asset: str, exchange: str = "aggregated") -> dict[str, Any]:
        """Of the folder `BTCUSD`, or `BTCUSD_1h` of another timeframe."""
        text = (self.data_root / exchange / asset / "manifest.json").read_text()
        manifest: dict[str, Any] = json.loads(text)
        return manifest

    def files(self) -> dict[str, bytes]:
        """Every exported file by its path below the data root."""
        paths = sorted(path for path in self.data_root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.data_root)): path.read_bytes() for path in paths}

    def _select(self, query: str, *values: Any) -> list[Any]:
        if not self.sqlite_path.exists():
            return []
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("", "-wal"):
                original = self.sqlite_path.with_name(self.sqlite_path.name + suffix)
                if original.exists():
                    shutil.copy(original, folder)
            with closing(sqlite3.connect(Path(folder, self.sqlite_path.name))) as connection:
                return connection.execute(query, values).fetchall()


@dataclass
class Job:
    """Runs the job in a folder of its own, with --name=value for each keyword."""

    folder: Path
    server: JobServer
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    _processes: list[JobProcess] = field(default_factory=list)

    @property
    def report_path(self) -> Path:
        return self.folder / "report.json"

    @property
    def stored(self) -> StoredData:
        return StoredData(self.folder / "data/candles.sqlite", self.folder / "data/csv")

    def use(self, simulator: ExchangeSimulator, *, per_minute: float | None = 0) -> None:
        """Sends the job to the simulator, by default without any pacing."""
        path = simulator.write_settings(self.folder / "exchanges.toml")
        if per_minute is not None:
            tables = path.read_text().split("\n\n")
            pace = f"requests_per_minute = {per_minute}\n"
            path.write_text("".join(f"{table.strip()}\n{pace}\n" for table in tables))
        self.settings["exchange_settings_file"] = path

    def start(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        terminal: Terminal | None = None,
        is_output_shown: bool = False,
        dies_at_write: int | None = None,
        **flags: Any,
    ) -> JobProcess:
        self.report_path.unlink(missing_ok=True)
        settings = {"run_report_path": self.report_path, **self.settings, **flags}
        arguments = [f"--{name}={value}" for name, value in settings.items() if value is not None]
        process = self.server.start(
            [*words, *arguments],
            folder=self.folder,
            environment={"PATH": os.environ["PATH"]} | self.environment | dict(environment or {}),
            terminal=terminal,
            is_output_shown=is_output_shown,
            dies_at_write=dies_at_write,
        )
        self._processes.append(process)
        return process

    def finish(self, process: JobProcess) -> Finished:
        """Waits for the end. No job ever shows a stack trace, or leaves a client unclosed."""
        output, errors = process.communicate()
        assert "Traceback" not in errors, errors
        assert "unclosed" not in errors, errors
        report = json.loads(self.report_path.read_text()) if self.report_path.exists() else None
        return Finished(process.wait(), output, errors, report)

    def run(self, *words: str, **flags: Any) -> Finished:
        return self.finish(self.start(*words, **flags))

    def run_well(self, *words: str, **flags: Any) -> Finished:
        """Runs to the exit code 0."""
        finished = self.run(*words, **flags)
        assert finished.exit_code == 0, finished.errors + finished.output
        return finished

    def end_all(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def job_in(job_server: JobServer) -> Iterator[Callable[..., Job]]:
    """`job_in(folder, **flags)`: a job that works in the folder and whose runs have these flags."""
    jobs: list[Job] = []

    def make(folder: Path, **settings: Any) -> Job:
        folder.mkdir()
        jobs.append(Job(folder, job_server, settings))
        return jobs[-1]

    yield make
    for job in jobs:
        job.end_all()


@pytest.fixture
def new_job(tmp_path: Path, job_in: Callable[..., Job]) -> Callable[..., Job]:
    """`new_job(name, **flags)`: a job with nothing stored, whose runs have these flags."""
    return lambda name, **settings: job_in(tmp_path / name, **settings)


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    return new_job("job")


@pytest.fixture
def new_influxdb_job(new_job: Callable[..., Job]) -> Callable[..., Job]:
    """`new_influxdb_job(connection, **flags)`: a new job that stores in this bucket."""

    def make(connection: InfluxDbConnection, name: str = "influxdb", **flags: Any) -> Job:
        bucket = {
            "store": "influxdb",
            "influxdb_url": connection.url,
            "influxdb_org": connection.org,
            "influxdb_bucket": connection.bucket,
        }
        job = new_job(name, **(bucket | flags))
        job.environment["INFLUXDB_TOKEN"] = connection.token
        return job

    return make


@pytest.fixture(scope="session")
def ms_of() -> Callable[[str], int]:
    """UTC milliseconds of an ISO time."""

    def parse(text: str) -> int:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    return parse


@pytest.fixture
def simulate() -> Iterator[Callable[..., ExchangeSimulator]]:
    """`simulate(now_ms=…, **config)`: a simulator whose clock stands still, in this process."""
    with ExitStack() as stack:

        def start(*, now_ms: int, **config: Any) -> ExchangeSimulator:
            clock = SimulatorClock(now_ms, frozen=True)
            return stack.enter_context(running_simulator(SimulatorConfig(**config), clock=clock))

        yield start


@pytest.fixture
def write_recording(tmp_path: Path) -> Callable[[str, Iterable[str]], None]:
    """`write_recording("kraken_BTC-USD", csv_rows)`: a recording below tmp_path/recordings."""

    def write(name: str, rows: Iterable[str]) -> None:
        folder = tmp_path / "recordings"
        folder.mkdir(exist_ok=True)
        lines = ["timestamp_ms,open,high,low,close,volume", *rows, ""]
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))

    return write


@pytest.fixture
def at_candle_request() -> Callable[[ExchangeSimulator, int, Callable[[], None]], threading.Event]:
    """`at_candle_request(simulator, number, act)`: acts when the number-th request arrives.

    Counts those for candles and for trades from 1 over all exchanges, from now on.
    The request is answered after `act` returns; the event is set when it has.
    """

    def hook(simulator: ExchangeSimulator, number: int, act: Callable[[], None]) -> threading.Event:
        log = simulator.requests
        note = type(log).note_arrival
        seen = 0
        is_done = threading.Event()

        def noting(exchange: str, url: str, fault: str | None) -> None:
            nonlocal seen
            seen += 1
            note(log, exchange, url, fault)
            if seen == number:
                act()
                is_done.set()

        log.note_arrival = noting  # type: ignore[method-assign]
        return is_done

    return hook


@pytest.fixture
def start_and_signal(
    at_candle_request: Callable[..., threading.Event],
) -> Callable[..., JobProcess]:
    """Starts a job, and sends it a signal when the simulator sees its number-th request."""

    def start(
        job: Job, simulator: ExchangeSimulator, number: int, sent: signal.Signals, **flags: Any
    ) -> JobProcess:
        processes: list[JobProcess] = []
        is_started = threading.Event()

        def send() -> None:
            is_started.wait()
            processes[0].send_signal(sent)

        at_candle_request(simulator, number, send)
        processes.append(job.start(**flags))
        is_started.set()
        return processes[0]

    return start


class ExactCandle(NamedTuple):
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


ExactSeries = Mapping[int, ExactCandle]


class ExactMerged(NamedTuple):
    """A merged candle: open, high, low, close and volume, and what went into it.

    It `disagrees` where a price deviates and no candle is left out (M5).
    """

    values: tuple[Fraction, ...]
    source_exchanges: tuple[str, ...]
    excluded: tuple[str, ...]
    disagrees: bool


# Sums and products of decimals are exact, or an error.
EXACTLY = Context(prec=200, traps=[Inexact, InvalidOperation])


def _exact(number: object) -> Decimal:
    # What is stored of a number is the float64 nearest to it, which stands for its shortest text.
    return Decimal(repr(float(str(number))))


def _median(values: Iterable[Decimal]) -> Decimal:
    ascending = sorted(values)
    middle = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[middle]
    return (ascending[middle - 1] + ascending[middle]) / 2


def _deviating(candles: Mapping[str, ExactCandle], deviation: Decimal) -> set[str]:
    medians = [_median(candle[i] for candle in candles.values()) for i in range(4)]
    return {
        exchange
        for exchange, candle in candles.items()
        if any(abs(candle[i] - medians[i]) > medians[i] * deviation for i in range(4))
    }


def _merge(
    candles: Mapping[str, ExactCandle], deviation: Decimal, *, extremes: bool
) -> ExactMerged:
    """Rules M3 to M6 on one minute's candles, in flag order."""
    deviating = _deviating(candles, deviation)
    is_left_out = len(candles) >= 3 and len(deviating) < len(candles)
    excluded = tuple(e for e in candles if e in deviating) if is_left_out else ()
    kept = {exchange: candle for exchange, candle in candles.items() if exchange not in excluded}
    volume = sum((candle.volume for candle in kept.values()), Decimal(0))
    weights = [candle.volume if volume else Decimal(1) for candle in kept.values()]
    total = Fraction(sum(weights))
    prices = [
        Fraction(sum(c[i] * w for c, w in zip(kept.values(), weights, strict=True))) / total
        for i in range(4)
    ]
    if extremes:
        prices[1] = Fraction(max(candle.high for candle in kept.values()))
        prices[2] = Fraction(min(candle.low for candle in kept.values()))
    disagrees = bool(deviating) and not excluded
    return ExactMerged((*prices, Fraction(volume)), tuple(kept), excluded, disagrees)


class Truth:
    """What the job must store, computed in fractions from what the exchanges really had."""

    def exchange_candles(
        self,
        simulator: ExchangeSimulator,
        exchange: str,
        symbol: str,
        start_ms: int,
        end_ms: int,
        step_ms: int = MINUTE_MS,
    ) -> ExactSeries:
        return {
            candle.open_ms: ExactCandle(
                *map(_exact, (candle.open, candle.high, candle.low, candle.close, candle.volume))
            )
            for candle in simulator.true_candles(exchange, symbol, step_ms, start_ms, end_ms)
        }

    def merged(
        self,
        series: Mapping[str, ExactSeries],
        *,
        deviation: Decimal = Decimal("0.05"),
        extremes: bool = False,
    ) -> dict[int, ExactMerged]:
        """The merged candles of exchanges, in flag order, that all cover every minute."""
        minutes = sorted({minute for candles in series.values() for minute in candles})
        with localcontext(EXACTLY):
            return {
                minute: _merge(
                    {e: candles[minute] for e, candles in series.items() if minute in candles},
                    deviation,
                    extremes=extremes,
                )
                for minute in minutes
            }

    def assert_stored(
        self, stored: Mapping[int, StoredCandle], expected: Mapping[int, ExactMerged]
    ) -> None:
        """Rows equal the exact ones within 1e-9 relative, provenance included; none is missing."""
        assert sorted(stored) == sorted(expected)
        self.assert_right(stored, expected)

    def assert_right(
        self, stored: Mapping[int, StoredCandle], expected: Mapping[int, ExactMerged]
    ) -> None:
        """The same, of the rows that are there."""
        assert stored.keys() <= expected.keys()
        wrong = [
            (minute, row, expected[minute])
            for minute, row in stored.items()
            if not _is_close(row, expected[minute])
        ]
        assert not wrong, f"{len(wrong)} wrong rows, first {wrong[0]}"

    def assert_nothing_wrong(
        self,
        stored: StoredData,
        symbol: str,
        series: Mapping[str, ExactSeries],
        *,
        merged: Mapping[int, ExactMerged],
        minimum: int,
        was_killed: bool = False,
    ) -> None:
        """Coverage claims only what the stored candles prove, whatever is still missing.

        `merged` is what all exchanges make together. Where an exchange covers, its candles are the
        true ones, and where the merged series covers, its rows are made of those of all exchanges
        that cover, the minimum or more. Rows outside coverage are left behind by a killed run only.
        """
        known: dict[str, set[int]] = {}
        for exchange, candles in series.items():
            known[exchange] = _minutes_of(stored.coverage(exchange, symbol))
            rows = stored.of_exchange(exchange, symbol)
            assert was_killed or rows.keys() <= known[exchange]
            proven = {minute: row[:5] for minute, row in rows.items() if minute in known[exchange]}
            assert proven == {
                minute: tuple(map(float, candle))
                for minute, candle in candles.items()
                if minute in known[exchange]
            }
        merged_minutes = _minutes_of(stored.coverage("aggregated", symbol))
        covering = {m: [e for e in series if m in known[e]] for m in merged_minutes}
        assert all(len(exchanges) >= minimum for exchanges in covering.values())
        rows = stored.merged(symbol)
        assert was_killed or rows.keys() <= merged_minutes
        partly = {m: names for m, names in covering.items() if len(names) < len(series)}
        expected = {m: merged[m] for m in merged_minutes & merged.keys() if m not in partly}
        expected |= self.merged(
            {
                exchange: {m: c for m, c in candles.items() if exchange in partly.get(m, ())}
                for exchange, candles in series.items()
            }
        )
        self.assert_stored({m: row for m, row in rows.items() if m in merged_minutes}, expected)

    def assert_exported(
        self, exported: candle_loader.Candles, expected: Mapping[int, ExactMerged]
    ) -> None:
        """The CSV holds the exact values scaled exactly, rounded half away from zero (E2).

        Where a value lies so near to a half that the float64 between the two cannot tell, both
        neighbours are right.
        """
        factors = [10**exported.price_decimal_digits] * 4 + [10**exported.volume_decimal_digits]
        assert exported.frame["timestamp_ms"].to_list() == sorted(expected)
        wrong = [
            (minute, *row)
            for minute, *row in exported.frame.iter_rows()
            for got, exact, factor in zip(row, expected[minute].values, factors, strict=True)
            if got != _rounded(exact * factor) and got not in _neighbours(exact, factor)
        ]
        assert not wrong, f"{len(wrong)} wrong rows, first {wrong[0]}"


def _minutes_of(spans: Spans) -> set[int]:
    return {minute for start, end in spans for minute in range(start, end, MINUTE_MS)}


def _is_close(row: StoredCandle, expected: ExactMerged) -> bool:
    names = expected.source_exchanges
    return (
        row.source_exchanges == ",".join(names)
        and row.exchange_count == len(names)
        and all(
            abs(Fraction(got) - want) <= abs(want) / 10**9
            for got, want in zip(row[:5], expected.values, strict=True)
        )
    )


def _rounded(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))  # Of no negative value: half away from zero is up.


def _neighbours(exact: Fraction, factor: int) -> set[int]:
    unsure = 2 * Fraction(math.ulp(float(exact)))
    return {_rounded((exact - unsure) * factor), _rounded((exact + unsure) * factor)}


@pytest.fixture(scope="session")
def truth() -> Truth:
    return Truth()
