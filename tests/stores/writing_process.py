"""Writes pages and their coverage until it is killed: `writing_process.py PATH`."""

import sys

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, StoreError
from candle_ingestor.stores.sqlite.store import SqliteStore

PAGE_SIZE = 300
MINUTE_MS = 60_000


def main(path: str) -> None:
    store = SqliteStore(path)
    series = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
    covered = IntervalSet()
    for page in range(100_000):
        times = [(page * PAGE_SIZE + minute) * MINUTE_MS for minute in range(PAGE_SIZE)]
        columns = {name: [float(page)] * PAGE_SIZE for name in EXCHANGE_CANDLES}
        candles = pl.DataFrame({**columns, "open_time_ms": times}, schema=EXCHANGE_CANDLES)
        covered = covered | IntervalSet.of(times[0], times[-1] + MINUTE_MS)
        try:
            store.replace([SeriesChange(series, SeriesRecord(Coverage(covered)), candles)])
        except StoreError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return
        print(page, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
