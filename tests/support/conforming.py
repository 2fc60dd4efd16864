"""Series and candles that the conformance suites of stores keep."""

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
from hypothesis import strategies as st

from candle_ingestor.model.candles import (
    EXCHANGE_CANDLES,
)
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store

OpenStore = Callable[[], Store]
START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)


def minutes(first: int, last: int) -> Interval:
    return Interval(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


def candles(opens: Iterable[float], *, first_minute: int = 0) -> pl.DataFrame:
    """One candle a minute with these opens; each column has values of its own."""
    prices = list(opens)
    return pl.DataFrame(
        {
            "open_time_ms": [
                START_MS + (first_minute + minute) * MINUTE_MS for minute in range(len(prices))
            ],
            "open": prices,
            "high": [price + 3.25 for price in prices],
            "low": [price - 0.1 for price in prices],
            "close": [price + 0.2 for price in prices],
            "volume": [price / 7 for price in prices],
        },
        schema=EXCHANGE_CANDLES,
    )


def merged_candles(opens: Iterable[float], source_exchanges: Iterable[str]) -> pl.DataFrame:
    sources = list(source_exchanges)
    return candles(opens).with_columns(
        pl.Series("source_exchanges", sources, dtype=pl.String()),
        pl.Series("exchange_count", [len(text.split(",")) for text in sources], dtype=pl.Int64()),
    )


def rules(*exchanges: str, **changes: Any) -> MergeRules:
    return MergeRules(exchanges=exchanges, **{"min_exchanges": 1, **changes})


FULL_RECORD = SeriesRecord(
    coverage=Coverage(
        covered=IntervalSet([minutes(0, 10), minutes(20, 30)]),
        provisional=IntervalSet([minutes(5, 6), minutes(28, 30)]),
        reasons={
            GapReason.FETCH_FAILED: IntervalSet([minutes(10, 12)]),
            GapReason.REJECTED: IntervalSet([minutes(12, 13), minutes(15, 16)]),
        },
        origins={Origin.ARCHIVE: IntervalSet([minutes(0, 5), minutes(20, 22)])},
    ),
    listing=Listing(
        first_day_ms=1_500_000_000_000,
        silent_until_ms=1_600_000_000_000,
        listed_by_ms=1_550_000_000_000,
        is_delisted=True,
    ),
    catch_up_from_ms=START_MS,
    precision=Precision(price_digits=2),
    merging=Merging(
        basis=MergeBasis(
            rules("kraken", "binance", high_low=HighLow.EXTREMES, quote_aliases=(("USD", "USDT"),)),
            (KRAKEN, Series("binance", Symbol("BTC", "USDT"), Timeframe(1))),
        ),
        former=(
            (
                MergeBasis(rules("kraken", max_price_deviation_pct=2.5), (KRAKEN,)),
                IntervalSet([minutes(0, 4)]),
            ),
            (MergeBasis(rules("binance"), ()), IntervalSet([minutes(5, 6), minutes(7, 8)])),
        ),
        stale=IntervalSet([minutes(9, 10)]),
    ),
    exports=Exports(
        backlog={"/data/one": {Month(2023, 11): START_MS}, "/data/ü'\"two": {}}, digits=(2, 8)
    ),
    wanted=Wanted(START_MS, START_MS + MINUTE_MS),
    pruned_until_ms=START_MS - MINUTE_MS,
    gap_notes=GapNotes(
        (
            GapNote(IntervalSet([minutes(10, 12)]), GapReason.FETCH_FAILED, START_MS, 3, "'ü\"\n"),
            GapNote(IntervalSet([minutes(12, 13)]), GapReason.REJECTED, START_MS),
        ),
        (GapNote(IntervalSet([minutes(0, 5)]), GapReason.REJECTED, 1, 2, filled_ms=START_MS),),
    ),
)
coverages = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=12).map(
    lambda parts: IntervalSet(minutes(first, first + length) for first, length in parts)
)
