"""Trades that add up to a market's candles: every candle is split into some that give just it.

A pure function of seed, market and day, like the candles. Trades of one order share a time to the
nanosecond, some stand on the first or the last instant of their candle, and ids ascend with time,
with gaps where a minute had no trade.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from exchange_simulator.cache import RowBudgetCache
from exchange_simulator.candles import DAY_MS, MINUTE_MS, Candle
from exchange_simulator.series import Series

__all__ = ["TradeColumns", "TradeTape", "split_candle", "trade_count"]

NS_PER_MS = 1_000_000
_SHARED_TIME_SHARE = 0.3
_BORDER_SHARE = 0.1
_PERIOD = 29
_MOST_NEEDED = 4  # open, close, high and low
_COUNTS = [_MOST_NEEDED + minute * 7919 % _PERIOD for minute in range(_PERIOD)]
_BEFORE = [0, *accumulate(_COUNTS)]


def _trades_before(minute: int) -> int:
    periods, rest = divmod(minute, _PERIOD)
    return periods * _BEFORE[-1] + _BEFORE[rest]


def trade_count(open_ms: int, timeframe_ms: int) -> int:
    """How many trades a candle is made of, where its volume suffices for so many."""
    first = open_ms // MINUTE_MS
    return _trades_before(first + timeframe_ms // MINUTE_MS) - _trades_before(first)


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades by column, ascending by time and id; prices and amounts are scaled integers."""

    time_ns: Sequence[int]
    price: Sequence[int]
    amount: Sequence[int]
    id: Sequence[int]

    def __len__(self) -> int:
        return len(self.id)

    def slice(self, first: int, stop: int) -> "TradeColumns":
        """The trades at positions `[first, stop)`."""
        columns = (self.time_ns, self.price, self.amount, self.id)
        return TradeColumns(*(column[first:stop] for column in columns))


def split_candle(
    candle: Candle, timeframe_ms: int, random: Callable[[], float]
) -> list[tuple[int, int, int]]:
    """Time in ns, price and amount of trades that make the candle; none of an idle bar."""
    if candle.volume <= 0:
        return []
    inner = [price for price in (candle.high, candle.low) if _is_inner(price, candle)]
    if random() < 0.5:
        inner.reverse()
    ends = 1 if candle.open == candle.close and not inner else 2
    count = min(trade_count(candle.open_ms, timeframe_ms), candle.volume)
    count = max(count, len(inner) + ends)
    spread = candle.high - candle.low
    prices = [candle.low + int(spread * random()) for _ in range(count)]
    prices[0], prices[-1] = candle.open, candle.close
    for number, price in enumerate(inner):
        prices[1 + number * (count - 2) // len(inner)] = price
    times = _times(candle.open_ms, timeframe_ms, count, random)
    return list(zip(times, prices, _amounts(candle.volume, count, random), strict=True))


def _is_inner(price: int, candle: Candle) -> bool:
    return price not in (candle.open, candle.close)


def _times(open_ms: int, timeframe_ms: int, count: int, random: Callable[[], float]) -> list[int]:
    length_ns = timeframe_ms * NS_PER_MS
    offsets = sorted(int(length_ns * random()) for _ in range(count))
    if random() < _BORDER_SHARE:
        offsets[0] = 0
    if random() < _BORDER_SHARE:
        offsets[-1] = length_ns - 1
    for number in range(1, count):
        if random() < _SHARED_TIME_SHARE:
            offsets[number] = offsets[number - 1]
    start_ns = open_ms * NS_PER_MS
    return [start_ns + offset for offset in offsets]


def _amounts(volume: int, count: int, random: Callable[[], float]) -> list[int]:
    least = min(1, volume // count)
    spare = volume - least * count
    cuts = sorted(int((spare + 1) * random()) for _ in range(count - 1))
    return [least + end - start for start, end in zip([0, *cuts], [*cuts, spare], strict=True)]


class TradeTape:
    """All trades of one market, made a UTC day at a time."""

    def __init__(
        self, name: str, seed: int, series: Series, cache: RowBudgetCache[TradeColumns]
    ) -> None:
        self._name = name
        self._seed = seed
        self._series = series
        self._cache = cache

    def after(self, since_ns: int, limit: int, now_ms: int) -> TradeColumns:
        """The first trades later than `since_ns`, as far as they have happened by now."""
        first_ms, last_ms = self._series.bounds_ms(now_ms)
        day = max(first_ms, since_ns // NS_PER_MS) // DAY_MS
        found = TradeColumns((), (), (), ())
        while len(found) < limit and day <= last_ms // DAY_MS:
            trades = self._until(day, now_ms)
            first = bisect_right(trades.time_ns, since_ns)
            found = _joined(found, trades.slice(first, first + limit - len(found)))
            day += 1
        return found

    def before_id(self, trade_id: int | None, limit: int, now_ms: int) -> TradeColumns:
        """The last trades with an id below the given one, or the last of all; ascending."""
        first_ms, last_ms = self._series.bounds_ms(now_ms)
        day = last_ms // DAY_MS
        if trade_id is not None:
            day = min(day, trade_id * _PERIOD // _BEFORE[-1] * MINUTE_MS // DAY_MS + 1)
        found = TradeColumns((), (), (), ())
        while len(found) < limit and day >= first_ms // DAY_MS:
            trades = self._until(day, now_ms)
            stop = len(trades) if trade_id is None else bisect_left(trades.id, trade_id)
            found = _joined(trades.slice(max(0, stop - limit + len(found)), stop), found)
            day -= 1
        return found

    def _until(self, day: int, now_ms: int) -> TradeColumns:
        trades = self._cache.get_or_make((self._name, day), lambda: self._make_day(day))
        return trades.slice(0, bisect_right(trades.time_ns, now_ms * NS_PER_MS))

    def _make_day(self, day: int) -> TradeColumns:
        random = Random(f"{self._seed}|trades|{self._name}|{day}").random
        timeframe_ms = self._series.base_timeframe_ms
        times, ids = array("q"), array("q")
        prices: list[int] = []
        amounts: list[int] = []
        for candle in self._series.base_candles(day):
            first_id = 1 + _trades_before(candle.open_ms // MINUTE_MS)
            trades = split_candle(candle, timeframe_ms, random)
            times.extend(time_ns for time_ns, _, _ in trades)
            prices += [price for _, price, _ in trades]
            amounts += [amount for _, _, amount in trades]
            ids.extend(range(first_id, first_id + len(trades)))
        return TradeColumns(times, prices, amounts, ids)


def _joined(head: TradeColumns, rest: TradeColumns) -> TradeColumns:
    if not len(head):
        return rest
    return TradeColumns(
        [*head.time_ns, *rest.time_ns],
        [*head.price, *rest.price],
        [*head.amount, *rest.amount],
        [*head.id, *rest.id],
    )
