"""How many candles each month of a series has, as every store tells."""

from collections import Counter
from collections.abc import Callable, Iterable

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import put, remove

from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, Timeframe
from candle_ingestor.stores.base import Store

OpenStore = Callable[[], Store]

BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
HOURLY = Series("kraken", BITCOIN, Timeframe(60))
MERGED = Series.merged(BITCOIN, Timeframe(1))
MARCH = Month(2023, 3)
START_MS = Month(2023, 2).start_ms
SPAN = Interval(START_MS, START_MS + 90 * DAY_MS)


def candles(times: Iterable[int], price: float = 1.0) -> pl.DataFrame:
    opens = sorted(set(times))
    values = {name: [price] * len(opens) for name in EXCHANGE_CANDLES if name != "open_time_ms"}
    return pl.DataFrame({"open_time_ms": opens, **values}, schema=EXCHANGE_CANDLES)


def merged(times: Iterable[int]) -> pl.DataFrame:
    return (
        candles(times)
        .with_columns(source_exchanges=pl.lit("kraken"), exchange_count=pl.lit(1, dtype=pl.Int64))
        .select(MERGED_CANDLES.keys())
    )


def test_a_store_that_holds_nothing_counts_nothing(store: Store) -> None:
    assert store.count_candles([KRAKEN, MERGED], SPAN) == {KRAKEN: {}, MERGED: {}}
    assert store.count_candles([], SPAN) == {}


def test_candles_are_counted_by_series_and_month(store: Store) -> None:
    edge_ms = MARCH.start_ms
    put(store, KRAKEN, candles(edge_ms + n * MINUTE_MS for n in range(-2, 5)))
    put(store, HOURLY, candles([edge_ms]))
    put(store, MERGED, merged([edge_ms, edge_ms + MINUTE_MS]))

    assert store.count_candles([KRAKEN, HOURLY, MERGED], SPAN) == {
        KRAKEN: {Month(2023, 2): 2, MARCH: 5},
        HOURLY: {MARCH: 1},
        MERGED: {MARCH: 2},
    }
    assert store.count_candles([HOURLY], SPAN) == {HOURLY: {MARCH: 1}}


def test_what_is_replaced_counts_once_and_what_is_removed_not_at_all(
    open_store: OpenStore,
) -> None:
    store = open_store()
    times = [MARCH.start_ms + n * MINUTE_MS for n in range(10)]
    put(store, KRAKEN, candles(times[:6]))
    put(store, KRAKEN, candles(times[3:], price=2.0))
    remove(store, KRAKEN, [times[0], times[9], times[9] + DAY_MS])

    assert store.count_candles([KRAKEN], SPAN) == {KRAKEN: {MARCH: 8}}

    remove(store, KRAKEN, times)

    assert open_store().count_candles([KRAKEN], SPAN) == {KRAKEN: {}}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sets(st.integers(0, 89 * 24), min_size=1, max_size=20),
        ),
        max_size=5,
    )
)
def test_the_counts_are_those_of_the_stored_candles(
    store: Store, steps: list[tuple[bool, set[int]]]
) -> None:
    for is_removed, hours in steps:
        times = [START_MS + hour * 60 * MINUTE_MS for hour in sorted(hours)]
        if is_removed:
            remove(store, KRAKEN, times)
        else:
            put(store, KRAKEN, candles(times))

    stored = store.read_candles(KRAKEN, SPAN)["open_time_ms"].to_list()

    assert store.count_candles([KRAKEN], SPAN) == {KRAKEN: Counter(map(Month.of, stored))}
