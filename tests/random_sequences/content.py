"""What the store and the roots hold, read without the job's own readers where that can be."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import AGGREGATED, Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.sqlite.store import SqliteStore

Row = tuple[Any, ...]
"""A stored candle, its open time first; of the merged series with its sources and their number."""

_EXCHANGE_CANDLES = """SELECT exchange, currency_pair, timeframe, open_time_ms, open, high, low,
    close, volume FROM exchange_candles"""
_CANDLES = f"""SELECT '{AGGREGATED}', currency_pair, timeframe, open_time_ms, open, high, low,
    close, volume, source_exchanges, exchange_count FROM candles"""


@dataclass
class StoreContent:
    """Every record, and every candle by series and open time, ascending."""

    records: dict[Series, SeriesRecord]
    candles: dict[Series, dict[int, Row]]

    @property
    def series(self) -> list[Series]:
        return sorted(self.records.keys() | self.candles.keys())

    def record(self, series: Series) -> SeriesRecord:
        return self.records.get(series, SeriesRecord())

    def within(self, series: Series, intervals: IntervalSet) -> dict[int, Row]:
        """The candles that open in the intervals."""
        candles = self.candles.get(series, {})
        return {o: candles[o] for o in times_within(list(candles), intervals)}


def read_store(path: Path) -> StoreContent:
    """What the SQLite file holds; nothing where there is none."""
    if not path.exists():
        return StoreContent({}, {})
    store = SqliteStore(path)
    try:
        records = store.read_records()
    finally:
        store.close()
    candles: dict[Series, dict[int, Row]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for query in (_EXCHANGE_CANDLES, _CANDLES):
            last: tuple[str, str, str] | None = None
            rows: dict[int, Row] = {}
            for exchange, pair, timeframe, *row in connection.execute(
                f"{query} ORDER BY 1, 2, 3, 4"
            ):
                if (exchange, pair, timeframe) != last:
                    last, rows = (exchange, pair, timeframe), {}
                    series = Series(exchange, Symbol.parse(pair), Timeframe.parse(timeframe))
                    candles[series] = rows
                rows[row[0]] = tuple(row)
    return StoreContent(dict(records), candles)


def times_within(ascending: Sequence[int], intervals: IntervalSet) -> list[int]:
    """The times that lie in the intervals."""
    found: list[int] = []
    for start_ms, end_ms in intervals:
        found += ascending[bisect_left(ascending, start_ms) : bisect_left(ascending, end_ms)]
    return found


def files_below(root: Path) -> dict[str, str]:
    """The digest of every file below the root, by its path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def folder_of(root: Path, series: Series) -> Path:
    """Where a series is exported to (rule E1)."""
    asset = f"{series.symbol.base}{series.symbol.quote}"
    minutes = series.timeframe.minutes
    return root / series.exchange / (asset if minutes == 1 else f"{asset}_{series.timeframe}")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The values of the folder's manifest; None where it has none."""
    path = folder / "manifest.json"
    values: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    return values


def scaled(rows: Iterable[Row], price_digits: int, volume_digits: int) -> list[tuple[int, ...]]:
    """The rows as an export holds them (rule E2)."""
    return [
        (
            row[0],
            *(_scaled(price, price_digits) for price in row[1:5]),
            _scaled(row[5], volume_digits),
        )
        for row in rows
    ]


@lru_cache(maxsize=1 << 16)
def _scaled(value: float, digits: int) -> int:
    return int(Decimal(repr(value)).scaleb(digits).to_integral_value(ROUND_HALF_UP))
