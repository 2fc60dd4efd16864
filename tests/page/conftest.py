"""A store with a known market, and a page of it made by the command report."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from candle_ingestor.merge.by_column import merge_by_column
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, Timeframe
from candle_ingestor.stores.base import Store
from candle_ingestor.stores.sqlite.store import SqliteStore

sys.path.append(str(Path(__file__).parents[1] / "support"))

from job_server import JobServer
from storing import put

EXCHANGES = ("coinbaseexchange", "bitstamp", "kraken")
DAYS = 30


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


START_MS = ms_of("2024-01-01")
END_MS = START_MS + DAYS * DAY_MS
FAILED = IntervalSet.of(ms_of("2024-01-10T03:00"), ms_of("2024-01-10T05:00"))
BEYOND = IntervalSet.of(ms_of("2024-01-20"), ms_of("2024-01-22"))
BAD_PRINT_MS = ms_of("2024-01-05T04:05")


def exchange_candles(seed: int) -> pl.DataFrame:
    """A candle a minute, but for one in 97, which no exchange shares with another."""
    prices = [
        round(40_000 + 900 * math.sin(i / 3_000) + 20 * math.sin(i / 7) + seed, 2)
        for i in range(DAYS * 1440 + 1)
    ]
    rows = []
    for i, (open_, close) in enumerate(pairwise(prices)):
        if (i + seed) % 97 == 0:
            continue
        time_ms = START_MS + i * MINUTE_MS
        high = round(max(open_, close) + 3, 2)
        if seed == 2 and time_ms == BAD_PRINT_MS:
            high = round(high * 1.2, 2)
        rows.append(
            (time_ms, open_, high, round(min(open_, close) - 3, 2), close, 1 + i % 5 + seed)
        )
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def fill(store: Store, symbol: str = "BTC/USD") -> None:
    """Kraken lacks two spans for different reasons, and so does the merged series."""
    pair, minute = Symbol.parse(symbol), Timeframe(1)
    sources = tuple(Series(exchange, pair, minute) for exchange in EXCHANGES)
    everything = IntervalSet.of(START_MS, END_MS)
    known = everything - FAILED - BEYOND
    frames = {exchange: exchange_candles(seed) for seed, exchange in enumerate(EXCHANGES)}
    outside = pl.lit(value=False)
    for start_ms, end_ms in (*FAILED, *BEYOND):
        outside |= pl.col("open_time_ms").is_between(start_ms, end_ms, closed="left")
    frames["kraken"] = frames["kraken"].filter(~outside)
    basis = MergeBasis(MergeRules(EXCHANGES, len(EXCHANGES), 5.0), sources)
    merged = merge_by_column(frames, basis.rules).candles.filter(~outside)
    wanted = Wanted(START_MS)
    reasons = {GapReason.FETCH_FAILED: FAILED, GapReason.BEYOND_REACH: BEYOND}
    for source in sources:
        is_whole = source.exchange != "kraken"
        coverage = Coverage(everything) if is_whole else Coverage(known, reasons=reasons)
        record = SeriesRecord(coverage, precision=Precision(2, 8), wanted=wanted)
        put(store, source, frames[source.exchange], record)
    head = SeriesRecord(Coverage(known), merging=Merging(basis), wanted=wanted)
    put(store, Series.merged(pair, minute), merged, head)


def run_of(run_id: str, started_ms: int) -> dict[str, object]:
    """A run report with what the page looks at."""
    return {
        "run_id": run_id,
        "status": "degraded",
        "started_ms": started_ms,
        "finished_ms": started_ms + 4_200,
        "timeframe": "1m",
        "exchanges": list(EXCHANGES),
        "exchange_totals": {"kraken": {"requests": 17, "candles": 1_234}},
        "tickers": [],
        "error": "kraken answered <b>503</b>",
    }


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file."""
    path = tmp_path_factory.mktemp("page") / "candles.sqlite"
    with closing(SqliteStore(path)) as store:
        fill(store)
        store.write_run(run_of("run-0001", END_MS - 60_000))
    return path


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def run_job(job_server: JobServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Done]:
    """Runs a command of the job, with variables of the environment."""

    folder = tmp_path_factory.mktemp("page_job")

    def run(*words: str, **variables: str) -> Done:
        return job_server.run(words, folder=folder, environment={**os.environ, **variables})

    return run


@pytest.fixture(scope="session")
def market_page(market: Path, run_job: Callable[..., Done]) -> Path:
    """The page that the command makes of it at its end."""
    path = market.parent / "page.html"
    flags = [f"--sqlite_path={market}", f"--output={path}", "--now=2024-01-31T00:00:10Z"]
    done = run_job("report", "--format=html", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"The report is in {path}\n"
    return path


@pytest.fixture(scope="session")
def stored(market: Path) -> Callable[..., pl.DataFrame]:
    """The merged candles that the store holds of some time, given as ISO texts."""

    def read(start: str, end: str) -> pl.DataFrame:
        with closing(SqliteStore(market)) as store:
            series = Series.merged(Symbol("BTC", "USD"), Timeframe(1))
            return store.read_candles(series, Interval(ms_of(start), ms_of(end)))

    return read
