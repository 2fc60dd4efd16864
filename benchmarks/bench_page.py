"""Measures the page over 10 symbols on 4 exchanges with a year of minutes: size and first paint.

Prices walk as those of real markets do, since how small they pack follows from that. The exit code
is 1 when a bound is missed, and 2 when there is no Chromium to measure with.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from browser import HOW_TO_GET_ONE, find_chromium, paint_seconds
from measuring import at_most, cost_of_child
from simulated import DAY_MS, MINUTE_MS, iso_text
from stored_candles import END_MS, EXCHANGES, START_MS, minutes_of, some_symbols, walking_candles

from candle_ingestor.merge.by_column import merge_by_column
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import months_of
from candle_ingestor.model.series import AGGREGATED
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.stores.base import SeriesChange, Store
from candle_ingestor.stores.sqlite.store import SqliteStore

SYMBOLS = some_symbols(10)

MOST_MB = 3.0
MOST_SECONDS_TO_PAINT = 2.0
MOST_SECONDS_TO_DRAW = 3.0
MOST_SECONDS_TO_MAKE = 40.0
MOST_PEAK_MB = 300.0


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        print(HOW_TO_GET_ONE)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.sqlite"
        page = Path(folder) / "page.html"
        with closing(SqliteStore(path)) as store:
            for number, symbol in enumerate(SYMBOLS):
                fill(store, symbol, number)
        cost = cost_of_child(
            [
                *(sys.executable, "-P", "-m", "candle_ingestor", "report", "--format=html"),
                *(f"--sqlite_path={path}", f"--output={page}"),
                f"--now={iso_text(END_MS + MINUTE_MS)}",
            ]
        )
        is_kept = at_most("seconds to make the page", cost.seconds, MOST_SECONDS_TO_MAKE)
        is_kept &= at_most("MB of memory to make it", cost.peak_mb, MOST_PEAK_MB)
        is_kept &= at_most("MB of the page", page.stat().st_size / 1e6, MOST_MB)
        painted = [paint_seconds(chromium, page) for _ in range(3)]
        first, drawn = (min(seconds) for seconds in zip(*painted, strict=True))
        is_kept &= at_most("seconds to its first paint", first, MOST_SECONDS_TO_PAINT)
        is_kept &= at_most("seconds to its charts", drawn, MOST_SECONDS_TO_DRAW)
    return 0 if is_kept else 1


def fill(store: Store, symbol: str, number: int) -> None:
    """Stores a year of a symbol: each exchange's candles, and what they make, with a few gaps."""
    sources = tuple(minutes_of(exchange, symbol) for exchange in EXCHANGES)
    head = minutes_of(AGGREGATED, symbol)
    basis = MergeBasis(MergeRules(EXCHANGES, len(EXCHANGES), 5.0), sources)
    covered = IntervalSet.of(START_MS, END_MS) - gaps_of(number)
    for month in months_of(IntervalSet.of(START_MS, END_MS)):
        frames = {
            source.exchange: walking_candles(month.interval, number, seed)
            for seed, source in enumerate(sources)
        }
        merged = merge_by_column(frames, basis.rules).candles
        known = covered & IntervalSet.of(START_MS, month.interval.end_ms)
        changes = [
            SeriesChange(source, record_of(known), frame)
            for source, frame in zip(sources, frames.values(), strict=True)
        ]
        store.replace([*changes, SeriesChange(head, record_of(known, basis), merged)])


def record_of(covered: IntervalSet, basis: MergeBasis | None = None) -> SeriesRecord:
    return SeriesRecord(
        Coverage(covered),
        precision=None if basis else Precision(2, 8),
        merging=None if basis is None else Merging(basis),
        wanted=Wanted(START_MS),
    )


def gaps_of(number: int) -> IntervalSet:
    days: Sequence[int] = range(number, 365, 30)
    starts = [START_MS + day * DAY_MS + 37 * MINUTE_MS for day in days]
    return IntervalSet(Interval(start, start + 45 * MINUTE_MS) for start in starts)


if __name__ == "__main__":
    sys.exit(main())
