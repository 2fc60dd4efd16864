"""Two frames of candles of the same time, compared field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS, schema_of
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.verify.findings import Check, Difference, Kind

Row = Mapping[str, Any]


def candle_differences(
    check: Check, series: Series, stored: pl.DataFrame, right: pl.DataFrame
) -> list[Difference]:
    """Every candle that is missing from `stored`, too much in it, or has other values, by time.

    Both frames have the series' columns and ascend. Values are compared exactly.
    """
    if stored.equals(right):
        return []
    columns = list(schema_of(series))
    differing = right.join(stored, on=columns, how="anti").rows(named=True)
    undue = stored.join(right, on=columns, how="anti").rows(named=True)
    there = {row["open_time_ms"]: row for row in undue}
    found = [
        _difference(check, series, there.pop(row["open_time_ms"], None), row) for row in differing
    ]
    found += [_difference(check, series, row, None) for row in there.values()]
    return sorted(found, key=lambda each: each.interval or (0, 0))


def _difference(check: Check, series: Series, stored: Row | None, right: Row | None) -> Difference:
    row = stored or right
    assert row is not None
    open_ms = int(row["open_time_ms"])
    interval = Interval(open_ms, open_ms + series.timeframe.duration_ms)
    if stored is None or right is None:
        kind = Kind.MISSING if stored is None else Kind.SURPLUS
        return Difference(
            check,
            kind,
            series,
            interval,
            stored=_values(stored) if stored else {},
            found=_values(right) if right else {},
        )
    names = [name for name in stored if stored[name] != right[name]]
    return Difference(
        check,
        Kind.VALUES,
        series,
        interval,
        stored={name: stored[name] for name in names},
        found={name: right[name] for name in names},
        size_pct=max(_size_pct(name, stored, right) for name in names),
    )


def _values(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "open_time_ms"}


def _size_pct(name: str, stored: Row, right: Row) -> float:
    """How far a value is off, in percent of the larger one."""
    if name not in VALUE_COLUMNS:
        return 0.0
    before, after = abs(stored[name]), abs(right[name])
    return float(100 * abs(stored[name] - right[name]) / max(before, after))
