"""Loads exported candles for backtests, as the integers they are stored as.

    from candle_loader import load

    candles = load("data", "aggregated", "BTC/USD", "2023-03-01", "2023-04-01")
    candles.frame                  # timestamp_ms, open, high, low, close, volume: all Int64
    candles.price_decimal_digits   # a price is an integer of the frame / 10 ** these
    candles.gaps                   # the time in range that nothing is known of

No price or volume ever becomes a float on the way.
"""

from candle_loader.candles import Candles
from candle_loader.errors import LoaderError
from candle_loader.loader import list_series, load
from candle_loader.manifest import Gap, SeriesInfo

__all__ = ["Candles", "Gap", "LoaderError", "SeriesInfo", "list_series", "load"]
