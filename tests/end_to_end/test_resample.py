"""Coarser candles: with every run, and of the past by the command resample."""

import zipfile
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from candle_ingestor.model.intervals import END_OF_TIME_MS, Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange
from candle_ingestor.stores.sqlite.store import SqliteStore
from candle_loader import load

EXCHANGES = ("coinbaseexchange", "binanceus")
MINUTE_MS = 60_000
LENGTHS = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080}
MONDAY_MS = 4 * 1440 * MINUTE_MS
ARCHIVE = (
    Path(__file__).resolve().parents[3]
    / "shared/data/archives/kraken/Kraken_OHLCVT_2023Q1_sample.zip"
)

Row = tuple[float, ...]


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of("2024-05-14T02:00:10"), exchanges=EXCHANGES)


@pytest.fixture
def job(new_job: Any, market: Any) -> Any:
    job = new_job(
        "resampling",
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD",
        backfill_start_date="2024-05-05",
    )
    job.use(market)
    return job


def put_together(minutes: dict[int, Row], length: int, until_ms: int) -> dict[int, Row]:
    """The whole candles of so many minutes before a time, computed one by one in fractions."""
    length_ms = length * MINUTE_MS
    by_open: dict[int, list[Row]] = {}
    for time_ms in sorted(minutes):
        by_open.setdefault(time_ms - (time_ms - MONDAY_MS) % length_ms, []).append(minutes[time_ms])
    return {
        open_ms: (
            each[0][0],
            max(row[1] for row in each),
            min(row[2] for row in each),
            each[-1][3],
            float(sum(Fraction(repr(row[4])) for row in each)),
        )
        for open_ms, each in by_open.items()
        if open_ms >= min(minutes) and open_ms + length_ms <= until_ms
    }


def assert_in_step(job: Any, until_ms: int) -> None:
    minutes = {time_ms: row[:5] for time_ms, row in job.stored.merged("BTC/USD").items()}
    for timeframe, length in LENGTHS.items():
        stored = job.stored.merged("BTC/USD", timeframe)
        right = put_together(minutes, length, until_ms)
        assert {time_ms: tuple(row[:5]) for time_ms, row in stored.items()} == right, timeframe
        assert right


def tamper(path: Path, series: Series) -> None:
    """Puts another high into the first candle of the series, behind the job's back."""
    with closing(SqliteStore(path)) as store:
        first = store.read_candles(series, Interval(0, END_OF_TIME_MS)).head(1)
        changed = first.with_columns(pl.col("high") + 1)
        store.replace([SeriesChange(series, store.read_records()[series], changed)])


def test_a_run_makes_stores_and_exports_coarser_candles_and_the_next_only_what_follows(
    job: Any, market: Any, ms_of: Any
) -> None:
    derived = ",".join(LENGTHS)
    job.run_well(now=market.clock.now_ms(), derived_timeframes=derived)
    assert_in_step(job, ms_of("2024-05-14T02:00"))
    hours = load(
        job.stored.data_root, "aggregated", "BTC/USD", "2024-05-06", "2024-05-14", timeframe="1h"
    )
    assert hours.frame.height == 8 * 24
    weeks = job.stored.merged("BTC/USD", "1w")
    assert list(weeks) == [ms_of("2024-05-06")]
    before = job.stored.files()

    market.clock.advance(17 * MINUTE_MS)
    # What was made once is kept in step by every run.
    job.run_well(now=market.clock.now_ms())
    assert_in_step(job, ms_of("2024-05-14T02:17"))
    changed = {
        name.split("/")[1]
        for name, content in job.stored.files().items()
        if before.get(name) != content and name.endswith(".csv")
    }
    assert changed == {"BTCUSD", "BTCUSD_5m", "BTCUSD_15m"}

    contents = job.stored.contents()
    finished = job.run_well("resample", now=market.clock.now_ms())
    assert "Resampled 1 symbol in" in finished.output
    assert "0 coarser candles changed" in finished.output
    assert job.stored.contents() == contents
    for looking in ("status", "gaps", "report", "quality"):
        assert job.run(looking, now=market.clock.now_ms()).exit_code == 0


def test_resample_makes_the_past_and_follows_a_merge_by_other_rules(
    job: Any, market: Any, ms_of: Any
) -> None:
    now = market.clock.now_ms()
    job.run_well(now=now)
    finished = job.run("resample", now=now, derived_timeframes="90s")
    assert finished.exit_code == 2
    assert "'90s' is not a timeframe" in finished.complaint
    job.run_well("resample", now=now, derived_timeframes=",".join(LENGTHS))
    assert_in_step(job, ms_of("2024-05-14T02:00"))

    weighted = job.stored.merged("BTC/USD", "1d")
    job.run_well("merge", now=now, high_low="extremes")
    assert job.stored.merged("BTC/USD", "1d") != weighted
    assert_in_step(job, ms_of("2024-05-14T02:00"))

    right = job.stored.merged("BTC/USD", "4h")
    tamper(job.stored.sqlite_path, Series.merged(Symbol("BTC", "USD"), Timeframe(240)))
    finished = job.run("verify", now=now, verify_exchanges=False)
    assert finished.exit_code == 1
    assert "merged BTC/USD 4h" in finished.output
    job.run_well("verify", now=now, verify_exchanges=False, repair=True)
    assert job.stored.merged("BTC/USD", "4h") == right
    assert_in_step(job, ms_of("2024-05-14T02:00"))
    assert "made again" in job.run_well("verify", now=now, verify_exchanges=False).output

    finished = job.run(now=now, candle_granularity_minutes="1h")
    assert finished.exit_code == 2
    assert "is put together from 15m candles (--derived_timeframes)" in finished.complaint


@pytest.mark.skipif(not ARCHIVE.is_file(), reason="the sample archive is not beside the checkout")
def test_resampled_recordings_equal_the_coarser_files_that_kraken_publishes(
    new_job: Any, ms_of: Any
) -> None:
    job = new_job("kraken", now="2023-06-01T00:00:00Z")
    folder = job.folder / "archives"
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extract("XBTUSD_5.csv", folder)
        published = {
            name: pl.read_csv(archive.read(f"XBTUSD_{minutes}.csv"), has_header=False)
            for name, minutes in (("1h", 60), ("1d", 1440))
        }
    job.run_well("import", str(folder))
    job.run_well(
        "resample",
        exchanges="kraken",
        candle_granularity_minutes=5,
        derived_timeframes="1h,1d",
        export_exchange_candles=True,
        run_report_path=None,
    )
    for timeframe, right in published.items():
        stored = job.stored.of_exchange("kraken", "BTC/USD", timeframe)
        rows = right.rows()
        assert len(stored) == len(rows) == {"1h": 2160, "1d": 90}[timeframe]
        for seconds, *prices, volume, _ in rows:
            candle = stored[seconds * 1000]
            assert list(candle[:4]) == prices
            # Days are published with more digits than the candles that they are made of.
            assert candle[4] == (volume if timeframe == "1h" else round(volume, 8))
    merged = job.stored.merged("BTC/USD", "1h")
    assert merged.keys() == job.stored.of_exchange("kraken", "BTC/USD", "1h").keys()
