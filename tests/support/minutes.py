"""Series, candles and intervals in minutes after START_MS, the start of March 2024."""

from collections.abc import Iterable, Mapping

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store

START_MS = 1_709_251_200_000
MINUTE_MS = 60_000
MINUTE = Timeframe(1)
BITCOIN = Symbol("BTC", "USD")
TETHER = Symbol("BTC", "USDT")
KRAKEN, BITSTAMP, BINANCEUS = (
    Series(exchange, BITCOIN, MINUTE) for exchange in ("kraken", "bitstamp", "binanceus")
)
MERGED = Series.merged(BITCOIN, MINUTE)
MERGED_TETHER = Series.merged(TETHER, MINUTE)
EVERYTHING = Interval(0, 2**60)


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return spans((first, last))


def spans(*pairs: tuple[int, int]) -> IntervalSet:
    return IntervalSet((ms(first), ms(last)) for first, last in pairs)


def minutes(chosen: Iterable[int]) -> IntervalSet:
    """The candle lengths of single minutes."""
    return spans(*((minute, minute + 1) for minute in chosen))


def minutes_in(intervals: IntervalSet) -> set[int]:
    return {
        (time_ms - START_MS) // MINUTE_MS
        for interval in intervals
        for time_ms in range(*interval, MINUTE_MS)
    }


def candles(prices: Mapping[int, float]) -> pl.DataFrame:
    """A candle of volume 2 a minute; high and low are a unit away from open and close."""
    rows = [(ms(m), p, p + 1, p - 1, p, 2.0) for m, p in sorted(prices.items())]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def flat(chosen: Iterable[int], price: float = 10.0) -> pl.DataFrame:
    return candles(dict.fromkeys(chosen, price))


def shown(frame: pl.DataFrame) -> dict[int, float]:
    """The open of each candle by its minute."""
    opens = zip(frame["open_time_ms"], frame["open"], strict=True)
    return {(time_ms - START_MS) // MINUTE_MS: price for time_ms, price in opens}


def stored(store: Store, series: Series) -> dict[int, float]:
    return shown(store.read_candles(series, EVERYTHING))
