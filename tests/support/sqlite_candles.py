"""Series and candles kept in a file."""

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
MINUTE_MS = 60_000
NOTES = GapNotes((GapNote(IntervalSet.of(60, 120), GapReason.REJECTED, 500, 2, "no close"),))


def candles(row_count: int, first_minute: int = 0) -> pl.DataFrame:
    times = [(first_minute + minute) * MINUTE_MS for minute in range(row_count)]
    values = [float(minute) for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )
