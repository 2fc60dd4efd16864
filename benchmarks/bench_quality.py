"""Measures the command quality over a year of minutes of 4 exchanges, in SQLite.

It is compared with a bare read of the same rows by pandas: one query an exchange, into frames, and
nothing done with them. The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import polars as pl
from measuring import at_most, best_of_each, cost_of_child
from simulated import DAY_MS, MINUTE_MS, iso_text
from stored_candles import END_MS, EXCHANGES, START_MS, candles_of, minutes_of

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import AGGREGATED
from candle_ingestor.model.series_record import Coverage, MergeBasis, Merging, SeriesRecord, Wanted
from candle_ingestor.stores.base import SeriesChange, Store
from candle_ingestor.stores.sqlite.store import SqliteStore

OUTAGE_MS = (START_MS + 40 * DAY_MS, START_MS + 40 * DAY_MS + 120 * MINUTE_MS)
ROUNDS = 3

MOST_SECONDS = 6.0
MOST_TIMES_A_BARE_READ = 2.0
MOST_MB = 450

BARE_READ = """
import sqlite3, sys
import pandas as pd
with sqlite3.connect(sys.argv[1]) as connection:
    for exchange in sys.argv[2:]:
        frame = pd.read_sql_query(
            "SELECT open_time_ms, open, high, low, close, volume FROM exchange_candles "
            "WHERE exchange = ? AND currency_pair = 'BTC/USD' AND timeframe = '1m' "
            "ORDER BY open_time_ms", connection, params=(exchange,))
        print(len(frame))
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.sqlite"
        with closing(SqliteStore(path)) as store:
            stored = fill_all(store)
        watch = [
            *(sys.executable, "-P", "-m", "candle_ingestor", "quality", f"--sqlite_path={path}"),
            *("--format=csv", f"--now={iso_text(END_MS + MINUTE_MS)}"),
        ]
        read = [sys.executable, "-P", "-c", BARE_READ, str(path), *EXCHANGES]
        watched, bare = best_of_each(
            [lambda: cost_of_child(watch), lambda: cost_of_child(read)], ROUNDS
        )
    for name, cost in (("quality", watched), ("bare read", bare)):
        print(
            f"{name}, {stored:,} candles: {cost.seconds:.2f} s, {cost.cpu_seconds:.2f} s of CPU, "
            f"{cost.peak_mb:.0f} MB"
        )
    is_kept = at_most("seconds of quality, a year of 4 exchanges", watched.seconds, MOST_SECONDS)
    is_kept &= at_most(
        "times a bare read by pandas", watched.seconds / bare.seconds, MOST_TIMES_A_BARE_READ
    )
    is_kept &= at_most("MB of memory", watched.peak_mb, MOST_MB)
    return 0 if is_kept else 1


def fill_all(store: Store) -> int:
    """Stores a year of each exchange, an outage in one of them; returns how many candles."""
    sources = tuple(minutes_of(exchange) for exchange in EXCHANGES)
    covered = Coverage(IntervalSet.of(START_MS, END_MS))
    stored = 0
    for seed, source in enumerate(sources):
        candles = candles_of(START_MS, END_MS, seed)
        if seed == 0:
            candles = candles.filter(~pl.col("open_time_ms").is_between(*OUTAGE_MS, closed="left"))
        record = SeriesRecord(covered, wanted=Wanted(START_MS))
        store.replace([SeriesChange(source, record, candles)])
        stored += candles.height
    merged = candles_of(START_MS, END_MS).with_columns(
        source_exchanges=pl.lit(",".join(EXCHANGES)),
        exchange_count=pl.lit(len(EXCHANGES), dtype=pl.Int64),
    )
    merging = Merging(MergeBasis(MergeRules(EXCHANGES, len(EXCHANGES), 5.0), sources))
    record = SeriesRecord(covered, merging=merging, wanted=Wanted(START_MS))
    head = minutes_of(AGGREGATED)
    store.replace([SeriesChange(head, record, merged.select(MERGED_CANDLES.keys()))])
    return stored


if __name__ == "__main__":
    sys.exit(main())
