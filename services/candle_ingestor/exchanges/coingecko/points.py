"""Makes daily rows of CoinGecko's points. Pure.

A point is a time and a price. By how long a range is, CoinGecko answers points of five minutes,
points of an hour, or one a day that stands at midnight sharp and closes the day before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from candle_ingestor.exchanges.errors import MalformedAnswerError, shown_text
from candle_ingestor.exchanges.rows import RawRows, Row
from candle_ingestor.model.timeframe import DAY_MS

_NO_VOLUME = 0.0
_NOT_PLACED: Row = [None] * 6

Point = list[Any]


def daily_rows(answer: Any, start_ms: int, end_ms: int) -> RawRows:
    """A row for each UTC day of `[start_ms, end_ms)` that has a point, ascending.

    Open, high, low and close are the last price of the day, volume is 0. The point of midnight
    sharp counts for the day that it ends, where that day has none of its own. Where the last point
    stands there twice with another price, there are two rows. A point without a usable time is a
    row without a time; a last price that is none is a row without prices. Rows of one kind each
    are for others to judge (rule M8).

    Raises:
        MalformedAnswerError: if the answer has no list of points.
    """
    points = answer.get("prices") if isinstance(answer, dict) else None
    if not isinstance(points, list):
        said = shown_text(str(answer))
        raise MalformedAnswerError(f"coingecko: the answer has no list of prices: {said}")
    rows: list[Row] = []
    raw: list[Any] = []
    placed: list[Point] = []
    for point in points:
        if _is_placed(point):
            placed.append(point)
        else:
            rows.append(_NOT_PLACED)
            raw.append(point)
    for day_ms, lasting in sorted(_last_by_day(placed).items()):
        if start_ms <= day_ms < end_ms:
            rows += [_row(day_ms, point) for point in lasting]
            raw += lasting
    return RawRows.from_rows(rows, raw)


def _is_placed(point: Any) -> bool:
    if not isinstance(point, list) or len(point) != 2:
        return False
    time_ms = point[0]
    return isinstance(time_ms, int) and not isinstance(time_ms, bool) and 0 < time_ms < 1 << 62


def _last_by_day(points: Iterable[Point]) -> dict[int, list[Point]]:
    """The points that end each day; several where they say different things of one time."""
    within: dict[int, list[Point]] = {}
    at_end: dict[int, list[Point]] = {}
    for point in points:
        time_ms = point[0]
        day_ms = time_ms - time_ms % DAY_MS
        if time_ms == day_ms:
            _keep_last(at_end, day_ms - DAY_MS, point)
        else:
            _keep_last(within, day_ms, point)
    return at_end | within


def _keep_last(kept: dict[int, list[Point]], day_ms: int, point: Point) -> None:
    last = kept.setdefault(day_ms, [point])
    if point[0] > last[0][0]:
        kept[day_ms] = [point]
    elif point[0] == last[0][0] and point not in last:
        last.append(point)


def _row(day_ms: int, point: Point) -> Row:
    price = point[1]
    if isinstance(price, bool) or not isinstance(price, int | float):
        return [day_ms, None, None, None, None, _NO_VOLUME]
    return [day_ms, *[float(price)] * 4, _NO_VOLUME]
