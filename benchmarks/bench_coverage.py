"""Measures keeping a page in a series whose coverage is in ten thousand intervals.

The figure is a ratio to a series of one interval, within this run; the exit code is 1 when the
bound is missed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from measuring import Cost, at_most, best_of_each, cost_of
from simulated import MINUTE_MS
from stored_candles import candles_of, minutes_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.stores.base import SeriesChange, Store
from candle_ingestor.stores.sqlite.store import SqliteStore

START_MS = 1_577_836_800_000  # 2020-01-01
PAGE_MINUTES = 1_000
STEP_MS = 2_000 * MINUTE_MS
INTERVALS = 10_000
ROUNDS = 30

MOST_OF_ONE_INTERVAL = 2.0


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "candles.sqlite")) as store,
    ):
        one = IntervalSet.of(START_MS, START_MS + STEP_MS * INTERVALS // 2)
        many = IntervalSet(
            (START_MS + i * STEP_MS, START_MS + i * STEP_MS + 10 * MINUTE_MS)
            for i in range(INTERVALS)
        )
        calls = [pages(store, minutes_of("one"), one), pages(store, minutes_of("many"), many)]
        of_one, of_many = best_of_each(calls, ROUNDS)
    print(
        f"a page of {PAGE_MINUTES:,} candles: {1000 * of_one.cpu_seconds:.1f} ms of CPU in one "
        f"interval, {1000 * of_many.cpu_seconds:.1f} ms in {INTERVALS:,}"
    )
    ratio = of_many.cpu_seconds / of_one.cpu_seconds
    name = f"keeping a page among {INTERVALS:,} intervals, times one"
    return 0 if at_most(name, ratio, MOST_OF_ONE_INTERVAL) else 1


def pages(store: Store, series: Series, covered: IntervalSet) -> Callable[[], Cost]:
    """Keeps a page in the middle of time each time, in ascending order, as a fetch does."""
    store.replace([SeriesChange(series, SeriesRecord(Coverage(covered)))])
    ledger = Ledger(store)
    positions = iter(range(INTERVALS // 2, INTERVALS))

    def keep_next() -> Cost:
        start_ms = START_MS + next(positions) * STEP_MS + 100 * MINUTE_MS
        end_ms = start_ms + PAGE_MINUTES * MINUTE_MS
        span = IntervalSet.of(start_ms, end_ms)
        candles = candles_of(start_ms, end_ms)
        return cost_of(lambda: ledger.replace([Replacement(series, span, candles, span)]))

    return keep_next


if __name__ == "__main__":
    sys.exit(main())
