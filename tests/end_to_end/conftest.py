"""The job as a subprocess, simulated exchanges, and the exact truth of what it must store."""

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import candle_loader
from exchange_simulator import (
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "data"
MINUTE_MS = 60_000
LONGEST_RUN_SECONDS = 90


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
        return [(start, end) for start, end in self.record(exchange, symbol, timeframe)["covered"]]

    def record(self, exchange: str, symbol: str, timeframe: str = "1m") -> dict[str, Any]:
        rows = self._select(
            "SELECT record FROM candle_coverage "
            "WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
            exchange,
            symbol,
            timeframe,
        )
        found: dict[str, Any] = json.loads(rows[0][0]) if rows else {"covered": []}
        return found

    def state(self) -> dict[str, int]:
        return dict(self._select("SELECT key, last_processed_timestamp_ms FROM processing_state"))

    def runs(self) -> list[dict[str, Any]]:
        rows = self._select("SELECT report FROM ingestion_runs ORDER BY started_ms")
        return [json.loads(row[0]) for row in rows]

    def contents(self) -> dict[str, list[Any]]:
        """Everything in the file but the records of runs."""
        return {
            "candles": self._select("SELECT * FROM candles ORDER BY 1, 2, 3"),
            "exchange_candles": self._select("SELECT * FROM exchange_candles ORDER BY 1, 2, 3, 4"),
            "coverage": self._select("SELECT * FROM candle_coverage ORDER BY 1, 2, 3"),
            "state": self._select("SELECT * FROM processing_state ORDER BY 1, 2"),
        }

    def exported(self, symbol: str, exchange: str = "aggregated") -> candle_loader.Candles:
        return candle_loader.load(self.data_root, exchange, symbol)

    def manifest(self, asset: str, exchange: str = "aggregated") -> dict[str, Any]:
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
    settings: dict[str, Any] = field(default_factory=dict)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)

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
        self, *words: str, environment: Mapping[str, str] | None = None, **flags: Any
    ) -> subprocess.Popen[str]:
        self.report_path.unlink(missing_ok=True)
        settings = {"run_report_path": self.report_path, **self.settings, **flags}
        arguments = [f"--{name}={value}" for name, value in settings.items() if value is not None]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "candle_ingestor", *words, *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(ROOT / "services"), "PATH": os.environ["PATH"]}
            | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Finished:
        """Waits for the end. No job ever shows a stack trace, or leaves a client unclosed."""
        output, errors = process.communicate(timeout=LONGEST_RUN_SECONDS)
        assert "Traceback" not in errors, errors
        assert "unclosed" not in errors, errors
        report = json.loads(self.report_path.read_text()) if self.report_path.exists() else None
        return Finished(process.returncode, output, errors, report)

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


@pytest.fixture
def new_job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """`new_job(name, **flags)`: a job with nothing stored, whose runs have these flags."""
    jobs: list[Job] = []

    def make(name: str = "job", **settings: Any) -> Job:
        folder = tmp_path / name
        folder.mkdir()
        jobs.append(Job(folder, settings))
        return jobs[-1]

    yield make
    for job in jobs:
        job.end_all()


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    return new_job()


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


@pytest.fixture(scope="session")
def recordings_of() -> Callable[[str], Path]:
    """The folder of a recorded market; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        folder = RECORDINGS / name
        if not folder.is_dir():
            pytest.skip(f"the recorded market {name} is not there: no folder ../shared/data/{name}")
        return folder

    return find


@pytest.fixture
def at_candle_request() -> Callable[[ExchangeSimulator, int, Callable[[], None]], threading.Event]:
    """`at_candle_request(simulator, number, act)`: acts when the number-th request arrives.

    Counts from 1 over all exchanges, from now on. The request is answered after `act` returns;
    the event is set when it has.
    """

    def hook(
        simulator: ExchangeSimulator, number: int, act: Callable[[], None]
    ) -> threading.Event:
        log = simulator.requests
        note = type(log).add_candle_request
        seen = 0
        is_done = threading.Event()

        def noting(exchange: str, url: str, fault: str | None) -> None:
            nonlocal seen
            seen += 1
            note(log, exchange, url, fault)
            if seen == number:
                act()
                is_done.set()

        log.add_candle_request = noting  # type: ignore[method-assign]
        return is_done

    return hook


@pytest.fixture
def start_and_signal(
    at_candle_request: Callable[..., threading.Event],
) -> Callable[..., subprocess.Popen[str]]:
    """Starts a job, and sends it a signal when the simulator sees its number-th request."""

    def start(
        job: Job, simulator: ExchangeSimulator, number: int, sent: signal.Signals, **flags: Any
    ) -> subprocess.Popen[str]:
        processes: list[subprocess.Popen[str]] = []
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
    open: Fraction
    high: Fraction
    low: Fraction
    close: Fraction
    volume: Fraction


ExactSeries = Mapping[int, ExactCandle]


class ExactMerged(NamedTuple):
    candle: ExactCandle
    source_exchanges: tuple[str, ...]
    excluded: tuple[str, ...]


def _exact(number: object) -> Fraction:
    # What is stored of a number is the float64 nearest to it, which stands for its shortest text.
    return Fraction(Decimal(repr(float(str(number)))))


def _median(values: Iterable[Fraction]) -> Fraction:
    ascending = sorted(values)
    middle = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[middle]
    return (ascending[middle - 1] + ascending[middle]) / 2


def _merge(
    candles: Mapping[str, ExactCandle], deviation: Fraction, *, extremes: bool
) -> ExactMerged:
    """Rules M3 to M6 on one minute's candles, in flag order."""
    kept = dict(candles)
    if len(candles) >= 3:
        medians = [_median(c[i] for c in candles.values()) for i in range(4)]
        close = {
            exchange: candle
            for exchange, candle in candles.items()
            if all(abs(candle[i] - medians[i]) <= medians[i] * deviation for i in range(4))
        }
        kept = close or kept
    excluded = tuple(exchange for exchange in candles if exchange not in kept)
    volume = sum((c.volume for c in kept.values()), Fraction(0))
    if volume:
        prices = [sum(c[i] * c.volume for c in kept.values()) / volume for i in range(4)]
    else:
        prices = [sum(c[i] for c in kept.values()) / len(kept) for i in range(4)]
    if extremes:
        prices[1] = max(c.high for c in kept.values())
        prices[2] = min(c.low for c in kept.values())
    return ExactMerged(ExactCandle(*map(Fraction, prices), volume), tuple(kept), excluded)


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
        deviation: Fraction = Fraction(5, 100),
        extremes: bool = False,
    ) -> dict[int, ExactMerged]:
        """The merged candles of exchanges, in flag order, that all cover every minute."""
        minutes = sorted({minute for candles in series.values() for minute in candles})
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

    def assert_exported(
        self, exported: candle_loader.Candles, expected: Mapping[int, ExactMerged]
    ) -> None:
        """The CSV holds the exact values scaled exactly, rounded half away from zero (E2)."""
        price, volume = 10**exported.price_decimal_digits, 10**exported.volume_decimal_digits
        rows = [
            (minute, *(_scaled(value, price) for value in row.candle[:4]))
            + (_scaled(row.candle.volume, volume),)
            for minute, row in sorted(expected.items())
        ]
        got = list(exported.frame.iter_rows())
        assert len(got) == len(rows)
        wrong = [(left, right) for left, right in zip(got, rows, strict=True) if left != right]
        assert not wrong, f"{len(wrong)} wrong rows, first {wrong[0]}"


def _is_close(row: StoredCandle, expected: ExactMerged) -> bool:
    names = expected.source_exchanges
    return (
        row.source_exchanges == ",".join(names)
        and row.exchange_count == len(names)
        and all(
            abs(Fraction(got) - want) <= abs(want) / 10**9
            for got, want in zip(row[:5], expected.candle, strict=True)
        )
    )


def _scaled(value: Fraction, factor: int) -> int:
    return math.floor(value * factor + Fraction(1, 2))  # of no negative value: half away from 0


@pytest.fixture(scope="session")
def truth() -> Truth:
    return Truth()
