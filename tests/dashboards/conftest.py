"""The boards, what the job wrote for them, and their queries run as Grafana runs them."""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore
from exchange_simulator import (
    ExchangeSimulator,
    Fault,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

sys.path.append(str(Path(__file__).parents[1] / "support"))

from influxd import HOW_TO_GET_ONE, InfluxdProcess, InfluxServer, find_influxd, outside_server
from job_server import JobServer

ROOT = Path(__file__).resolve().parents[2]
EXCHANGES = ("kraken", "coinbaseexchange", "binanceus")

Board = dict[str, Any]


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def ms_of() -> Callable[[str], int]:
    """UTC milliseconds of an ISO time."""
    return lambda text: round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="session")
def boards() -> dict[str, Board]:
    """The boards by the names of their files."""
    paths = sorted((ROOT / "dashboards/boards").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(scope="session")
def influx_server(
    tmp_path_factory: pytest.TempPathFactory, missing_real_part: Callable[[str], NoReturn]
) -> Iterator[InfluxServer]:
    outside = outside_server()
    if outside is not None:
        yield outside
        return
    binary = find_influxd()
    if binary is None:
        missing_real_part(HOW_TO_GET_ONE)
    process = InfluxdProcess(binary, tmp_path_factory.mktemp("influxd"))
    try:
        process.start()
        yield process.server
    finally:
        process.stop()


@dataclass
class Frame:
    """A data frame as Grafana makes it of a table of a Flux answer."""

    labels: dict[str, str]
    columns: dict[str, list[Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        names, cells = list(self.columns), zip(*self.columns.values(), strict=True)
        return [dict(zip(names, row, strict=True)) for row in cells]

    @property
    def row(self) -> dict[str, Any]:
        """The one row."""
        (row,) = self.rows
        return row

    @property
    def values(self) -> dict[int, Any]:
        """A time series by UTC milliseconds."""
        return dict(zip(self.columns["Time"], self.columns["Value"], strict=True))


@dataclass(frozen=True)
class Grafana:
    """Runs queries of the boards as Grafana does: with its variables, over a time range, at a time.

    Times are UTC milliseconds.
    """

    boards: Mapping[str, Board]
    server: InfluxServer
    bucket: str
    start_ms: int
    stop_ms: int
    now_ms: int
    window: str = "1m0s"
    token: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def at(self, **changes: Any) -> "Grafana":
        return replace(self, **changes)

    def panel(self, board: str, title: str, **variables: str) -> list[Frame]:
        """The frames that a panel is given."""
        (panel,) = (p for p in self.boards[board]["panels"] if p["title"] == title)
        (target,) = panel["targets"]
        return self.query(target["query"], **variables)

    def only(self, board: str, title: str, **variables: str) -> Frame:
        """The one frame of a panel."""
        (frame,) = self.panel(board, title, **variables)
        return frame

    def by(self, label: str, board: str, title: str) -> dict[str, Frame]:
        """The frames of a panel by a label of theirs."""
        frames = self.panel(board, title)
        found = {frame.labels[label]: frame for frame in frames}
        assert len(found) == len(frames)
        return found

    def options(self, board: str, name: str, **variables: str) -> list[str]:
        """What a variable of a board can be."""
        (one,) = (v for v in self.boards[board]["templating"]["list"] if v["name"] == name)
        (frame,) = self.query(one["query"], **variables)
        (values,) = frame.columns.values()
        return values

    def query(self, flux: str, **variables: str) -> list[Frame]:
        status, data = self.send(flux, **variables)
        assert status == 200, f"{data.decode()}\n{self.interpolated(flux, variables)}"
        return frames_of(data.decode())

    def send(self, flux: str, **variables: str) -> tuple[int, bytes]:
        """Status and body of the answer to a query of a board."""
        body = {
            "query": self.interpolated(flux, variables),
            "type": "flux",
            "dialect": {"annotations": ["datatype", "group"], "header": True},
            "now": rfc3339(self.now_ms),
        }
        path = f"/api/v2/query?org={self.server.org}"
        return self.server.call("POST", path, body, token=self.token, accept="application/csv")

    def interpolated(self, flux: str, variables: Mapping[str, str]) -> str:
        values = {**self.variables, **variables}
        text = re.sub(r"\$\{(\w+):regex\}", lambda found: escape_regex(values[found[1]]), flux)
        known = {
            "timeRangeStart": rfc3339(self.start_ms),
            "timeRangeStop": rfc3339(self.stop_ms),
            "windowPeriod": self.window,
            "defaultBucket": f'"{self.bucket}"',
        }
        # Grafana looks at the name behind the point only, and does not mind what is in front.
        for found in re.findall(r"[a-zA-Z]+\.[a-zA-Z]+", text):
            text = text.replace(found, known.get(found.partition(".")[2], found))
        return text


def escape_regex(value: str) -> str:
    """Grafana's format `regex`, of one value."""
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", lambda found: "\\" + found[0], value)


def rfc3339(ms: int) -> str:
    seconds, milliseconds = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def ms_of_time(text: str) -> int:
    return int(datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp() * 1000)


CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "double": float,
    "long": int,
    "dateTime:RFC3339": ms_of_time,
}
NOT_LABELS = ("", "result", "table", "_start", "_stop", "_field", "_measurement")


def frames_of(answer: str) -> list[Frame]:
    """The frames of an annotated CSV. Times become UTC milliseconds, empty cells None.

    A table with a `_value` and a time is a time series, whose other columns are its labels; any
    other is a frame of its columns.
    """
    frames: list[Frame] = []
    for block in re.split(r"(?:\r\n){2,}", answer.strip()):
        lines = list(csv.reader(block.splitlines()))
        if len(lines) < 4:
            continue
        types, groups, names, *rows = lines
        assert types[0] == "#datatype", block[:500]
        kept = [i for i, name in enumerate(names) if name not in NOT_LABELS]
        is_time_series = {"_time", "_value"} <= set(names)
        for number in dict.fromkeys(row[2] for row in rows):
            columns: dict[str, list[Any]] = {
                names[i]: [
                    CONVERTERS[types[i]](row[i]) if row[i] or types[i] == "string" else None
                    for row in rows
                    if row[2] == number
                ]
                for i in kept
            }
            if not is_time_series:
                frames.append(Frame({}, columns))
                continue
            labels = {name: str(cells[0]) for name, cells in columns.items() if name[0] != "_"}
            # Grafana reads a label from the first row, as a string.
            assert all(groups[i] == "true" for i in kept if names[i] in labels), names
            assert all(types[i] == "string" for i in kept if names[i] in labels), names
            series = {"Time": columns["_time"], "Value": columns["_value"]}
            frames.append(Frame(labels, series))
    return frames


@dataclass(frozen=True)
class World:
    """What the job wrote, and from what.

    At 02:00 all is well; at 03:00 Kraken is down, and a run for a symbol that no exchange has
    fails; at 16:00 all is well again, but Kraken no longer reaches back to 02:00. ETH/USD is only
    asked for while Kraken is down, so that nothing of it is merged.
    """

    simulator: ExchangeSimulator
    connection: InfluxDbConnection
    store: InfluxDbStore
    start_ms: int
    now_ms: int

    def candles(self, exchange: str, symbol: str = "BTC/USD") -> pl.DataFrame:
        """What the store keeps; `aggregated` is the merged series."""
        series = Series(exchange, Symbol.parse(symbol), Timeframe(1))
        candles = self.store.read_candles(series, Interval(self.start_ms, self.now_ms))
        assert candles.height > 500
        return candles


@pytest.fixture(scope="session")
def world(
    influx_server: InfluxServer,
    job_server: JobServer,
    tmp_path_factory: pytest.TempPathFactory,
    ms_of: Callable[[str], int],
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dashboards")
    clock = SimulatorClock(ms_of("2024-05-02T02:00:10"), frozen=True)
    config = SimulatorConfig(exchanges=EXCHANGES)
    with influx_server.bucket() as connection, running_simulator(config, clock=clock) as simulator:
        settings = simulator.write_settings(folder / "exchanges.toml")
        tables = settings.read_text().split("\n\n")
        settings.write_text("\n\n".join(f"{t.strip()}\nrequests_per_minute = 0" for t in tables))

        def run(symbols: str) -> int:
            return run_job(
                job_server,
                folder,
                connection,
                exchanges=",".join(EXCHANGES),
                symbols=symbols,
                backfill_start_date="2024-05-02",
                exchange_settings_file=settings,
                now=clock.now_ms(),
            )

        assert run("BTC/USD,SOL/USD") == 0
        clock.set(ms_of("2024-05-02T03:00:10"))
        simulator.set_faults([Fault("kraken", "503", 1.0)])
        assert run("BTC/USD,SOL/USD,ETH/USD") == 1
        # The store tells starts apart to the second, and a job's clock starts when it has loaded.
        clock.advance(60_000)
        assert run("NONE/USD") == 2
        clock.set(ms_of("2024-05-02T16:00:10"))
        simulator.set_faults([])
        assert run("BTC/USD,SOL/USD") == 0
        store = InfluxDbStore(connection)
        seen_ms = clock.now_ms() + 5_000
        yield World(simulator, connection, store, ms_of("2024-05-02T00:00:00"), seen_ms)
        store.close()


def run_job(
    job_server: JobServer, folder: Path, connection: InfluxDbConnection, **flags: Any
) -> int:
    """The exit code of a run that stores in this bucket."""
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    done = job_server.run(
        ["--store=influxdb", *arguments],
        folder=folder,
        environment={
            "PATH": os.environ["PATH"],
            "INFLUXDB_URL": connection.url,
            "INFLUXDB_TOKEN": connection.token,
            "INFLUXDB_ORG": connection.org,
            "INFLUXDB_BUCKET": connection.bucket,
        },
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


@pytest.fixture
def grafana(world: World, influx_server: InfluxServer, boards: dict[str, Board]) -> Grafana:
    """Grafana over what the job wrote, showing all of that day's BTC/USD candle by candle."""
    return Grafana(
        boards,
        influx_server,
        world.connection.bucket,
        world.start_ms,
        world.now_ms,
        world.now_ms,
        variables={"symbol": "BTC/USD", "timeframe": "1m"},
    )


@pytest.fixture
def empty_grafana(grafana: Grafana, influx_server: InfluxServer) -> Iterator[Grafana]:
    """The same over an empty bucket."""
    with influx_server.bucket() as connection:
        yield grafana.at(bucket=connection.bucket)
