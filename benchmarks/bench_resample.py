"""Measures putting a year of minutes together into six timeframes, against pandas.

Both are given columns that are ready. pandas adds volumes as floats; here the sums are exact. The
figure is a ratio within this run; the exit code is 1 when the bound is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

import pandas as pd
import polars as pl
from measuring import Cost, at_least, best_of_each, cost_of
from simulated import MINUTE_MS

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.resample.coarser import coarser_candles

START_MS = 1_672_617_600_000  # 2023-01-02, a Monday
MINUTES = 52 * 7 * 1440
ROUNDS = 10
IN_A_ROW = 4
OFFSETS = {"5m": "5min", "15m": "15min", "1h": "1h", "4h": "4h", "1d": "1D", "1w": "W-MON"}
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}

LEAST_TIMES_PANDAS = 5.0


def main() -> int:
    minutes = year_of_minutes()
    of_pandas = pd.DataFrame({name: minutes[name].to_numpy() for name in HOW})
    of_pandas.index = pd.to_datetime(minutes["open_time_ms"].to_numpy(), unit="ms")

    def by_us() -> Cost:
        return best_in_a_row(lambda: in_steps(minutes))

    def by_pandas() -> Cost:
        return best_in_a_row(lambda: with_pandas(of_pandas))

    ours, theirs = best_of_each([by_us, by_pandas], ROUNDS)
    print(
        f"{MINUTES:,} minutes into {len(OFFSETS)} timeframes: {1000 * ours.cpu_seconds:.0f} ms of "
        f"CPU, pandas {1000 * theirs.cpu_seconds:.0f} ms"
    )
    ratio = theirs.cpu_seconds / ours.cpu_seconds
    return 0 if at_least("resampling a year, times pandas", ratio, LEAST_TIMES_PANDAS) else 1


def best_in_a_row(call: Callable[[], object]) -> Cost:
    """The best of a few calls: the first one takes its memory back from the system."""
    return min((cost_of(call) for _ in range(IN_A_ROW)), key=lambda cost: cost.cpu_seconds)


def year_of_minutes() -> pl.DataFrame:
    random = Random(1)
    prices = [30_000 + random.randint(0, 10**6) / 100 for _ in range(MINUTES)]
    volumes = [random.randint(1, 10**10) / 10**8 for _ in range(MINUTES)]
    columns = {
        "open_time_ms": range(START_MS, START_MS + MINUTES * MINUTE_MS, MINUTE_MS),
        "open": prices,
        "high": [price + 1 for price in prices],
        "low": [price - 1 for price in prices],
        "close": prices,
        "volume": volumes,
    }
    return pl.DataFrame(columns, schema=EXCHANGE_CANDLES)


def in_steps(minutes: pl.DataFrame) -> None:
    candles, finer = minutes, Timeframe(1)
    for text in OFFSETS:
        coarser = Timeframe.parse(text)
        candles = coarser_candles(candles, finer, coarser)
        finer = coarser


def with_pandas(minutes: pd.DataFrame) -> None:
    for offset in OFFSETS.values():
        minutes.resample(offset, label="left", closed="left").agg(HOW)


if __name__ == "__main__":
    sys.exit(main())
