"""What every store must do with candles, whatever it is made of."""

import polars as pl
import pytest
from conforming import (
    BITCOIN,
    EVERYTHING,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    START_MS,
    candles,
    merged_candles,
    minutes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import covering, put, remove

from candle_ingestor.model.candles import (
    MERGED_CANDLES,
    VALUE_COLUMNS,
    no_candles,
    schema_of,
)
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store, StoreRefusedError

ODD_FLOATS = (
    *(0.0, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308),
    *(0.1, 0.30000000000000004, 1.1, 2.675, 1e-7, 1e22, 1e23, 9.5e-322, 123456789012345678.0),
    *(9007199254740991.0, 9007199254740993.0, 2.0**47, 2.0**63, -(2.0**63), 5e15, 1e15, 1e16),
    *(4.35, 0.000001, 8.5899973e9, 1.0000000000000002, 0.9999999999999999, 3.0, 50075.0),
)


def test_exchange_candles_are_read_back_as_they_were_written(store: Store) -> None:
    written = candles([50_075.5, 50_100.25, 49_999.01])

    put(store, KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_merged_candles_keep_their_provenance(store: Store) -> None:
    written = merged_candles([1.5, 2.5, 3.5], ["kraken,binance", "kraken", "binance,kraken"])

    put(store, MERGED, written)

    found = store.read_candles(MERGED, EVERYTHING)
    assert found.equals(written.select(MERGED_CANDLES.keys()))
    assert found.schema == pl.Schema(MERGED_CANDLES)


@pytest.mark.parametrize("column", VALUE_COLUMNS)
def test_odd_floats_are_read_back_to_the_bit(store: Store, column: str) -> None:
    written = candles([1.0] * len(ODD_FLOATS)).with_columns(pl.Series(column, ODD_FLOATS))

    put(store, KRAKEN, written)

    found = store.read_candles(KRAKEN, EVERYTHING)[column].to_list()
    assert [value.hex() for value in found] == [value.hex() for value in ODD_FLOATS]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0),
        min_size=1,
        max_size=30,
    )
)
def test_any_float_is_read_back_to_the_bit(store: Store, values: list[float]) -> None:
    written = candles([1.0] * len(values)).with_columns(
        pl.Series(name, values) for name in VALUE_COLUMNS
    )

    put(store, KRAKEN, written)

    found = store.read_candles(KRAKEN, minutes(0, len(values)))
    for name in VALUE_COLUMNS:
        assert [value.hex() for value in found[name]] == [value.hex() for value in values]


@pytest.mark.parametrize("row_count", [1, 49, 50, 51, 300, 720, 1000, 5001])
def test_pages_of_any_size_are_written_whole(store: Store, row_count: int) -> None:
    written = candles([50_000 + minute / 8 for minute in range(row_count)])

    put(store, KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_rows_in_any_order_are_read_ascending(store: Store) -> None:
    written = candles([float(minute) for minute in range(200)])

    put(store, KRAKEN, written.sample(fraction=1, shuffle=True, seed=3))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_columns_in_any_order_are_told_apart_by_name(store: Store) -> None:
    written = candles([1.0, 2.0])

    put(store, KRAKEN, written.select(reversed(written.columns)))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_a_candle_of_the_same_open_time_replaces_the_earlier_one(store: Store) -> None:
    put(store, KRAKEN, candles([1.0, 2.0, 3.0]))
    put(store, KRAKEN, candles([20.0, 30.0, 40.0], first_minute=1))

    expected = candles([1.0, 20.0, 30.0, 40.0])
    assert store.read_candles(KRAKEN, EVERYTHING).equals(expected)


def test_a_merged_candle_replaces_the_earlier_one_with_its_provenance(store: Store) -> None:
    put(store, MERGED, merged_candles([1.0, 2.0], ["kraken,binance", "kraken,binance"]))
    put(store, MERGED, merged_candles([9.0], ["kraken"]))

    expected = merged_candles([9.0, 2.0], ["kraken", "kraken,binance"])
    assert store.read_candles(MERGED, EVERYTHING).equals(expected.select(MERGED_CANDLES.keys()))


def test_writing_the_same_twice_changes_nothing(store: Store) -> None:
    written = candles([1.0, 2.0, 3.0])

    put(store, KRAKEN, written)
    put(store, KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_writing_no_candles_changes_nothing(store: Store) -> None:
    put(store, KRAKEN, no_candles(KRAKEN))

    assert store.read_candles(KRAKEN, EVERYTHING).is_empty()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", VALUE_COLUMNS)
def test_a_value_that_is_no_number_is_refused_and_nothing_is_written(
    store: Store, column: str, value: float | None
) -> None:
    put(store, KRAKEN, candles([7.0]))
    broken = candles([1.0, 2.0, 3.0]).with_columns(
        pl.Series(column, [1.0, 2.0, value], dtype=pl.Float64())
    )

    with pytest.raises(StoreRefusedError, match="candles of kraken BTC/USD 1m"):
        put(store, KRAKEN, broken)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles([7.0]))


@pytest.mark.parametrize("text", [None, ""])
def test_a_merged_candle_without_provenance_is_refused(store: Store, text: str | None) -> None:
    broken = merged_candles([1.0], ["kraken"]).with_columns(
        pl.lit(text, pl.String()).alias("source_exchanges")
    )

    with pytest.raises(StoreRefusedError, match="candles of aggregated BTC/USD 1m"):
        put(store, MERGED, broken)


def test_candles_of_other_columns_are_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="other columns"):
        put(store, MERGED, candles([1.0]))
    with pytest.raises(ValueError, match="other columns"):
        put(store, KRAKEN, candles([1.0]).with_columns(pl.col("open").cast(pl.Float32)))


def test_reads_take_the_start_and_leave_the_end_of_an_interval(store: Store) -> None:
    put(store, KRAKEN, candles([float(minute) for minute in range(10)]))

    found = store.read_candles(KRAKEN, minutes(3, 6))

    assert found["open"].to_list() == [3.0, 4.0, 5.0]


def test_an_interval_of_no_duration_holds_no_candle(store: Store) -> None:
    put(store, KRAKEN, candles([1.0]))

    assert store.read_candles(KRAKEN, minutes(0, 0)).is_empty()


@pytest.mark.parametrize("series", [KRAKEN, MERGED], ids=str)
def test_what_was_never_written_is_read_as_a_frame_without_rows(
    store: Store, series: Series
) -> None:
    before_anything = store.read_candles(series, EVERYTHING)
    put(store, KRAKEN, candles([1.0]))
    put(store, MERGED, merged_candles([1.0], ["kraken"]))
    outside = store.read_candles(series, minutes(5, 9))

    for found in (before_anything, outside):
        assert found.is_empty()
        assert found.schema == pl.Schema(schema_of(series))


def test_deleting_removes_the_named_candles_only(store: Store) -> None:
    put(store, KRAKEN, candles([0.0, 1.0, 2.0, 3.0]))
    put(store, MERGED, merged_candles([0.0, 1.0], ["kraken", "kraken"]))

    absent = minutes(50, 51).start_ms
    remove(store, KRAKEN, [minutes(1, 2).start_ms, minutes(3, 4).start_ms, absent])
    remove(store, MERGED, [minutes(0, 1).start_ms])

    assert store.read_candles(KRAKEN, EVERYTHING)["open"].to_list() == [0.0, 2.0]
    assert store.read_candles(MERGED, EVERYTHING)["open"].to_list() == [1.0]


def test_deleting_from_a_series_never_written_is_harmless(store: Store) -> None:
    remove(store, KRAKEN, [START_MS])
    put(store, MERGED, merged_candles([1.0], ["kraken"]))
    remove(store, KRAKEN, [START_MS])

    assert store.read_candles(MERGED, EVERYTHING).height == 1


def test_series_that_differ_in_one_part_are_kept_apart(store: Store) -> None:
    series = [
        KRAKEN,
        Series("bitstamp", BITCOIN, Timeframe(1)),
        Series("kraken", Symbol("BTC", "USDT"), Timeframe(1)),
        Series("kraken", Symbol("TBTC", "USD"), Timeframe(1)),
        Series("kraken", BITCOIN, Timeframe(5)),
    ]

    records = {
        one: covering(IntervalSet([minutes(0, number + 1)])) for number, one in enumerate(series)
    }

    for number, one in enumerate(series):
        put(store, one, candles([float(number)]), records[one])

    for number, one in enumerate(series):
        assert store.read_candles(one, EVERYTHING)["open"].to_list() == [float(number)]
    assert store.read_records() == records


@pytest.mark.parametrize(
    "symbol", [Symbol("1INCH", "USD"), Symbol("A" * 20, "B" * 20)], ids=["digit", "long"]
)
def test_any_symbol_names_a_series(store: Store, symbol: Symbol) -> None:
    series = Series("kraken", symbol, Timeframe(1))

    record = covering(IntervalSet([minutes(0, 1)]))

    put(store, series, candles([1.0]), record)

    assert store.read_candles(series, EVERYTHING).height == 1
    assert store.read_records() == {series: record}


def test_the_newest_candles_are_those_from_a_time_on(store: Store) -> None:
    others = [
        Series("bitstamp", BITCOIN, Timeframe(1)),
        Series("kraken", BITCOIN, Timeframe(5)),
        Series("kraken", Symbol("ETH", "USD"), Timeframe(1)),
    ]
    for one in (KRAKEN, *others):
        put(store, one, candles([0.0, 1.0, 2.0, 3.0]))
    put(store, MERGED, merged_candles([0.0, 1.0, 2.0], ["a", "b,a", "a,b"]))
    never_written = Series("binance", BITCOIN, Timeframe(1))
    merged_never_written = Series.merged(Symbol("ETH", "USD"), Timeframe(1))

    found = store.read_newest(
        [KRAKEN, MERGED, never_written, merged_never_written], minutes(2, 3).start_ms
    )

    assert found.keys() == {KRAKEN, MERGED, never_written, merged_never_written}
    assert found[KRAKEN].equals(candles([2.0, 3.0], first_minute=2))
    assert found[MERGED]["source_exchanges"].to_list() == ["a,b"]
    for series, frame in found.items():
        assert frame.schema == pl.Schema(schema_of(series))
    assert found[never_written].is_empty()
    assert found[merged_never_written].is_empty()


def test_the_newest_candles_of_no_series_are_none(store: Store) -> None:
    assert store.read_newest([], 0) == {}


def test_nothing_is_newer_than_the_newest(store: Store) -> None:
    put(store, KRAKEN, candles([0.0, 1.0]))

    assert store.read_newest([KRAKEN], minutes(2, 3).start_ms)[KRAKEN].is_empty()


@pytest.mark.parametrize("series", [KRAKEN, MERGED], ids=str)
def test_the_last_candle_before_a_time_is_found_however_old(store: Store, series: Series) -> None:
    assert store.last_open_ms(series, 2**60) is None
    others = Series("kraken", Symbol("ETH", "USD"), Timeframe(1))
    put(store, others, candles([float(minute) for minute in range(50)]))
    assert store.last_open_ms(series, 2**60) is None
    page = merged_candles([0.0, 1.0], ["kraken", "kraken"]).select(schema_of(series).keys())
    put(store, series, page)

    assert store.last_open_ms(series, 2**60) == minutes(1, 2).start_ms
    assert store.last_open_ms(series, minutes(1, 2).start_ms + 1) == minutes(1, 2).start_ms
    assert store.last_open_ms(series, minutes(1, 2).start_ms) == minutes(0, 1).start_ms
    assert store.last_open_ms(series, minutes(0, 1).start_ms) is None


def test_candles_are_counted_in_parts_of_a_series(store: Store) -> None:
    hourly = Series("kraken", BITCOIN, Timeframe(60))
    other = Series("kraken", Symbol("ETH", "USD"), Timeframe(1))
    put(store, KRAKEN, candles(range(1, 11)).gather_every(2))
    put(store, other, candles(range(1, 11)))
    put(store, MERGED, merged_candles([1, 2, 3], ["kraken"] * 3))

    assert store.count_within(
        [
            (KRAKEN, minutes(2, 8)),
            (KRAKEN, minutes(3, 4)),
            (MERGED, minutes(2, 8)),
            (other, minutes(2, 8)),
            (hourly, minutes(2, 8)),
            (KRAKEN, minutes(2, 9)),
        ]
    ) == [3, 0, 1, 6, 0, 4]
    assert store.count_within([]) == []


def test_many_candles_among_others_are_removed_and_the_others_stay(store: Store) -> None:
    put(store, KRAKEN, candles(range(1, 61)))
    times = [START_MS + minute * MINUTE_MS for minute in range(60)]
    gone = [time_ms for index, time_ms in enumerate(times) if index % 10 not in (0, 4)]

    remove(store, KRAKEN, [*gone, times[-1] + 7 * MINUTE_MS])

    left = store.read_candles(KRAKEN, EVERYTHING)["open_time_ms"].to_list()
    assert left == sorted(set(times) - set(gone))
