"""Loads exported candles for backtests, as the integers they are stored as.

    from candle_loader import load

    candles = load("data", "aggregated", "BTC/USD", "2023-03-01", "2023-04-01")
    candles.frame                  # timestamp_ms, open, high, low, close, volume: all Int64
    candles.price_decimal_digits   # a price is an integer of the frame / 10 ** these
    candles.gaps                   # the time in range that nothing is known of

No price or volume becomes a float unless it is asked for.
"""

from candle_loader.aligned import AlignedCandles, State
from candle_loader.candles import Candles
from candle_loader.conversions import Arrays
from candle_loader.errors import LoaderError, MissingPackageError
from candle_loader.gap import Gap
from candle_loader.listing import ListedSeries
from candle_loader.loader import gaps, iter_months, last_timestamp, list_series, load, load_many
from candle_loader.manifest import SeriesInfo

__all__ = [
    "AlignedCandles",
    "Arrays",
    "Candles",
    "Gap",
    "ListedSeries",
    "LoaderError",
    "MissingPackageError",
    "SeriesInfo",
    "State",
    "gaps",
    "iter_months",
    "last_timestamp",
    "list_series",
    "load",
    "load_many",
]
