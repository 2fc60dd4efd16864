"""What every store must do, whatever it is made of."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import covering, keep, put, remove

from candle_ingestor.model.candles import (
    EXCHANGE_CANDLES,
    MERGED_CANDLES,
    VALUE_COLUMNS,
    no_candles,
    schema_of,
)
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.imported_file import FileStatus, ImportedFile
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    Exports,
    Listing,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, Store, StoreRefusedError

OpenStore = Callable[[], Store]

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)

ODD_FLOATS = (
    *(0.0, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308),
    *(0.1, 0.30000000000000004, 1.1, 2.675, 1e-7, 1e22, 1e23, 9.5e-322, 123456789012345678.0),
    *(9007199254740991.0, 9007199254740993.0, 2.0**47, 2.0**63, -(2.0**63), 5e15, 1e15, 1e16),
    *(4.35, 0.000001, 8.5899973e9, 1.0000000000000002, 0.9999999999999999, 3.0, 50075.0),
)


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


DERIVED_RECORD = SeriesRecord(
    Coverage(IntervalSet.of(START_MS, START_MS + 2 * MINUTE_MS)),
    derivation=Derivation(
        MERGED,
        90.0,
        IntervalSet.of(START_MS, START_MS + MINUTE_MS),
        IntervalSet.of(START_MS + 3 * MINUTE_MS, START_MS + 4 * MINUTE_MS),
    ),
)


@pytest.mark.parametrize(
    "record", [FULL_RECORD, DERIVED_RECORD, NOTHING_KNOWN], ids=["full", "derived", "empty"]
)
def test_a_record_is_read_back_with_all_it_knows(store: Store, record: SeriesRecord) -> None:
    keep(store, {MERGED: record})

    assert store.read_records() == {MERGED: record}


def test_each_reason_and_its_order_survive(store: Store) -> None:
    reasons = {
        reason: IntervalSet([minutes(2 * number, 2 * number + 1)])
        for number, reason in enumerate(reversed(GapReason))
    }

    keep(store, {KRAKEN: covering(IntervalSet(), reasons=reasons)})

    found = store.read_records()[KRAKEN].coverage.reasons
    assert list(found.items()) == list(reasons.items())


def test_a_record_of_many_thousand_intervals_survives(store: Store) -> None:
    covered = IntervalSet(minutes(2 * number, 2 * number + 1) for number in range(20_000))

    keep(store, {KRAKEN: covering(covered)})

    assert store.read_records()[KRAKEN].covered == covered


def test_a_record_replaces_the_earlier_one_whole(store: Store) -> None:
    covered = IntervalSet(minutes(2 * number, 2 * number + 1) for number in range(20_000))
    reasons = {GapReason.REJECTED: IntervalSet([minutes(1, 2)])}
    smaller = covering(IntervalSet([minutes(0, 5)]))
    keep(store, {KRAKEN: covering(covered, covered, reasons)})

    keep(store, {KRAKEN: smaller})

    assert store.read_records() == {KRAKEN: smaller}


coverages = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=12).map(
    lambda parts: IntervalSet(minutes(first, first + length) for first, length in parts)
)
reasons_of_some = st.dictionaries(st.sampled_from(GapReason), coverages, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.booleans(), coverages, coverages, reasons_of_some), max_size=6))
def test_any_row_of_records_leaves_the_last_one(
    open_store: OpenStore,
    row: list[tuple[bool, IntervalSet, IntervalSet, dict[GapReason, IntervalSet]]],
) -> None:
    """Whoever of two writers wrote the one before it, and whatever they remember."""
    writers = (open_store(), open_store())
    for is_first, covered, provisional, reasons in row:
        record = covering(covered, provisional & covered, reasons)
        keep(writers[is_first], {KRAKEN: record})

        assert writers[0].read_records() == writers[1].read_records() == {KRAKEN: record}
    for writer in writers:
        writer.close()


def test_a_series_that_was_never_written_has_no_record(store: Store) -> None:
    assert store.read_records() == {}
    put(store, KRAKEN, candles([1.0]), FULL_RECORD)

    assert store.read_records().keys() == {KRAKEN}


def test_many_series_are_written_and_read_at_once(store: Store) -> None:
    series = [
        Series(exchange, Symbol(f"A{number}", "USD"), timeframe)
        for number in range(100)
        for exchange in ("kraken", "aggregated")
        for timeframe in (Timeframe(1), Timeframe(60))
    ]
    frames = {
        one: merged_candles([number, number + 0.5], ["kraken", "kraken,binance"]).select(
            schema_of(one).keys()
        )
        for number, one in enumerate(series)
    }
    records = {
        one: covering(IntervalSet([minutes(number, number + 1)]))
        for number, one in enumerate(series)
    }

    store.replace([SeriesChange(one, records[one], frames[one]) for one in series])
    store.replace(
        [SeriesChange(one, records[one], deleted=[START_MS + MINUTE_MS]) for one in series[::2]]
    )

    assert store.read_records() == records
    newest = store.read_newest(series, START_MS)
    for number, one in enumerate(series):
        expected = frames[one] if number % 2 else frames[one].head(1)
        assert store.read_candles(one, EVERYTHING).equals(expected)
        assert newest[one].equals(expected)


def test_a_batch_of_no_change_changes_nothing(store: Store) -> None:
    store.replace([])

    assert store.read_records() == {}


def test_two_changes_of_one_series_are_an_error(store: Store) -> None:
    change = SeriesChange(KRAKEN, NOTHING_KNOWN)

    with pytest.raises(ValueError, match="more than one change"):
        store.replace([change, change])


def test_a_batch_with_a_broken_candle_is_refused_whole(store: Store) -> None:
    broken = merged_candles([1.0], ["kraken"]).with_columns(pl.lit(float("nan")).alias("close"))
    known = covering(IntervalSet([minutes(0, 1)]))
    put(store, KRAKEN, candles([7.0]), known)

    with pytest.raises(StoreRefusedError, match="candles of aggregated BTC/USD 1m"):
        store.replace(
            [
                SeriesChange(KRAKEN, NOTHING_KNOWN, candles([8.0]), cautious=NOTHING_KNOWN),
                SeriesChange(MERGED, known, broken),
            ]
        )

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles([7.0]))
    assert store.read_records() == {KRAKEN: known}


def test_a_batch_ends_with_its_records_whatever_came_before(store: Store) -> None:
    before, after = covering(IntervalSet([minutes(0, 3)])), covering(IntervalSet([minutes(0, 5)]))
    cautious = covering(IntervalSet([minutes(0, 1)]))
    keep(store, {KRAKEN: before, MERGED: before})

    store.replace(
        [
            SeriesChange(KRAKEN, after, candles([1.0, 2.0]), cautious=cautious),
            SeriesChange(MERGED, after, cautious=after),
        ]
    )

    assert store.read_records() == {KRAKEN: after, MERGED: after}
    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles([1.0, 2.0]))


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


def test_state_is_kept_by_service_and_key(store: Store) -> None:
    assert store.read_state("ingestor") == {}
    store.write_state("ingestor", {"BTC/USD-backfill": 1_000, "BTC/USD-catch_up": 2_000})
    store.write_state("other", {"BTC/USD-backfill": 7})
    store.write_state("ingestor", {"BTC/USD-backfill": 1_700_000_000_000})
    store.write_state("ingestor", {})

    assert store.read_state("ingestor") == {
        "BTC/USD-backfill": 1_700_000_000_000,
        "BTC/USD-catch_up": 2_000,
    }
    assert store.read_state("other") == {"BTC/USD-backfill": 7}


def test_hostile_names_are_data_like_any_other(store: Store) -> None:
    name = "x'; DROP TABLE processing_state; --\" ${r} \\ \n, = ünï"

    store.write_state(name, {name: 5})

    assert store.read_state(name) == {name: 5}
    assert store.read_state("x") == {}


def report(run_id: str, started_ms: int, **figures: object) -> dict[str, object]:
    return {"run_id": run_id, "started_ms": started_ms, "status": "ok", **figures}


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


def test_run_reports_are_read_newest_first(store: Store) -> None:
    assert store.read_runs(5) == []
    for started_ms in (3_000, 1_000, 5_000, 2_000, 4_000):
        store.write_run(report(f"run-{started_ms}", started_ms))

    assert [run["started_ms"] for run in store.read_runs(3)] == [5_000, 4_000, 3_000]
    assert len(store.read_runs(100)) == 5


def test_runs_that_start_in_one_second_keep_their_order(store: Store) -> None:
    begun = [(5_000, "b"), (5_400, "a"), (5_000, "c"), (5_000, "e"), (5_001, "d")]
    for started_ms, run_id in begun:
        store.write_run(report(run_id, started_ms))

    found = [(run["started_ms"], run["run_id"]) for run in store.read_runs(9)]

    assert found == sorted(begun, reverse=True)


def test_a_run_report_keeps_its_nested_figures(store: Store) -> None:
    written = report(
        "a", 1, tickers=[{"symbol": "BTC/USD", "gaps": [], "seconds": 0.1, "x": None}], ok=True
    )

    store.write_run(written)

    assert store.read_runs(1) == [written]


def test_a_run_report_of_the_same_run_replaces_the_earlier_one(store: Store) -> None:
    store.write_run(report("a", 1) | {"status": "running"})
    store.write_run(report("a", 1) | {"status": "failed"})

    assert [run["status"] for run in store.read_runs(10)] == ["failed"]


@pytest.mark.parametrize("missing", ["run_id", "started_ms", "status"])
def test_a_run_report_without_its_keys_is_an_error(store: Store, missing: str) -> None:
    incomplete = {name: value for name, value in report("a", 1).items() if name != missing}

    with pytest.raises(ValueError, match=missing):
        store.write_run(incomplete)


def test_everything_is_there_after_reopening(open_store: OpenStore) -> None:
    first = open_store()
    put(first, KRAKEN, candles([1.0, 2.0]), FULL_RECORD)
    put(first, MERGED, merged_candles([1.0, 2.0], ["kraken", "kraken"]))
    first.write_state("ingestor", {"BTC/USD-backfill": 9})
    first.write_run(report("a", 1))
    first.close()

    second = open_store()
    put(second, KRAKEN, candles([3.0], first_minute=2), FULL_RECORD)

    assert second.read_candles(KRAKEN, EVERYTHING)["open"].to_list() == [1.0, 2.0, 3.0]
    assert second.read_candles(MERGED, EVERYTHING)["exchange_count"].to_list() == [1, 1]
    assert second.read_records() == {KRAKEN: FULL_RECORD, MERGED: NOTHING_KNOWN}
    assert second.read_state("ingestor") == {"BTC/USD-backfill": 9}
    assert second.read_runs(1) == [report("a", 1)]


def test_a_reader_beside_the_writer_never_sees_coverage_without_its_candles(
    open_store: OpenStore,
) -> None:
    writer, reader = open_store(), open_store()
    writer.check()
    page_count, page_size = 40, 100
    finished = threading.Event()

    def write() -> None:
        covered = IntervalSet()
        try:
            for page in range(page_count):
                first = page * page_size
                page_candles = candles(
                    [float(first + minute) for minute in range(page_size)], first_minute=first
                )
                covered = covered | IntervalSet([minutes(first, first + page_size)])
                put(writer, KRAKEN, page_candles, covering(covered))
        finally:
            finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    try:
        while not finished.is_set() or reads == 0:
            covered = reader.read_records().get(KRAKEN, NOTHING_KNOWN).covered
            found = reader.read_candles(KRAKEN, EVERYTHING)
            expected = [float(minute) for minute in range(covered.duration_ms // MINUTE_MS)]
            assert found["open"].to_list()[: len(expected)] == expected
            reads += 1
    finally:
        thread.join()

    assert reader.read_records()[KRAKEN].covered.duration_ms == (page_count * page_size * MINUTE_MS)


def test_threads_may_share_a_store(store: Store) -> None:
    series = [Series(f"exchange{number}", BITCOIN, Timeframe(1)) for number in range(4)]
    failures: list[BaseException] = []

    def work(one: Series) -> None:
        try:
            for page in range(10):
                put(store, one, candles([float(page)] * 50, first_minute=page * 50))
                assert store.read_candles(one, EVERYTHING).height == (page + 1) * 50
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(one,)) for one in series]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_check_leaves_nothing_behind(store: Store) -> None:
    store.check()
    put(store, KRAKEN, candles([1.0]))
    store.check()

    assert store.read_records() == {KRAKEN: NOTHING_KNOWN}
    assert store.read_state("check") == {}
    assert store.read_runs(10) == []
    assert store.read_candles(KRAKEN, EVERYTHING).height == 1


def test_the_description_says_which_store_it_is(store: Store) -> None:
    assert len(store.description) > 5


def test_closing_twice_is_harmless_and_a_closed_store_says_so(store: Store) -> None:
    put(store, KRAKEN, candles([1.0]))
    store.close()
    store.close()

    with pytest.raises(StoreRefusedError, match="closed"):
        store.read_candles(KRAKEN, EVERYTHING)


def imported_file(path: str, **changes: Any) -> ImportedFile:
    file = ImportedFile(
        path=path,
        sha256="ab" * 32,
        size_bytes=1000,
        series=KRAKEN,
        status=FileStatus.IMPORTED,
        read_as="time:s,open,high,low,close,volume of 2023-01-01T00:00 to 2023-04-01T00:00",
        rows=20,
        new=15,
        first_ms=START_MS,
        last_ms=START_MS + 60 * MINUTE_MS,
        differing=2,
        imported_ms=START_MS + 1,
    )
    return replace(file, **changes)


def test_a_store_without_imported_files_has_no_record_of_any(store: Store) -> None:
    assert store.read_imported_files() == []


def test_records_of_imported_files_are_read_back_by_path_and_series(open_store: OpenStore) -> None:
    of_minutes = imported_file("data/Kraken Q1, 2023.zip/XBTUSD_1.csv")
    of_hours = imported_file(of_minutes.path, series=Series("kraken", BITCOIN, Timeframe(60)))
    odd = imported_file('data/ä\\b=c%20\'"d".csv', rows=0, new=0)
    open_store().write_imported_files([of_minutes, of_hours, odd])

    assert sorted(open_store().read_imported_files(), key=str) == sorted(
        [of_minutes, of_hours, odd], key=str
    )


def test_another_record_of_the_same_path_and_series_replaces_the_first(store: Store) -> None:
    path = "data/XBTUSD_1.csv"
    refused = imported_file(
        path,
        status=FileStatus.FAILED,
        rows=0,
        first_ms=None,
        last_ms=None,
        error='line 3: a "price" is not above 0, or so',
    )
    unknown = imported_file("data/odd.zip", series=None, status=FileStatus.FAILED, error="damaged")
    store.write_imported_files([refused, unknown])
    assert store.read_imported_files() == [refused, unknown]

    mended = imported_file(path, sha256="cd" * 32)
    store.write_imported_files([mended])
    assert store.read_imported_files() == [mended, unknown]
    store.write_imported_files([refused])
    assert store.read_imported_files() == [refused, unknown]


def test_writing_no_record_of_a_file_changes_nothing(store: Store) -> None:
    store.write_imported_files([])

    assert store.read_imported_files() == []


def test_a_forgotten_series_leaves_nothing_and_takes_no_other_along(open_store: OpenStore) -> None:
    store = open_store()
    other = replace(KRAKEN, symbol=Symbol("ETH", "USD"))
    record = SeriesRecord(Coverage(IntervalSet.of(START_MS, START_MS + 3 * MINUTE_MS)))
    for series in (KRAKEN, MERGED, other):
        made = merged_candles([1, 2, 3], ["kraken"] * 3) if series.is_merged else candles([1, 2, 3])
        put(store, series, made, record)

    store.forget([KRAKEN, MERGED, replace(KRAKEN, exchange="nobody")])

    for opened in (store, open_store()):
        assert set(opened.read_records()) == {other}
        assert opened.read_candles(KRAKEN, EVERYTHING).is_empty()
        assert opened.read_candles(MERGED, EVERYTHING).is_empty()
        assert opened.read_candles(other, EVERYTHING).height == 3
    put(store, KRAKEN, candles([1, 2]), record)
    assert open_store().read_candles(KRAKEN, EVERYTHING).height == 2
    assert open_store().read_records()[KRAKEN] == record


def test_forgetting_in_a_store_without_anything_is_harmless(store: Store) -> None:
    store.forget([KRAKEN])
    assert store.read_records() == {}


def test_removed_keys_of_the_state_are_gone_and_others_stay(open_store: OpenStore) -> None:
    store = open_store()
    store.write_state("mine", {"BTC/USD-backfill": 1, "BTC/USD-catch_up": 2, "'\"\\": 3})
    store.write_state("other", {"BTC/USD-backfill": 4})

    store.remove_state("mine", ["BTC/USD-backfill", "'\"\\", "never there"])

    for opened in (store, open_store()):
        assert opened.read_state("mine") == {"BTC/USD-catch_up": 2}
        assert opened.read_state("other") == {"BTC/USD-backfill": 4}
    store.write_state("mine", {"BTC/USD-backfill": 5})
    assert open_store().read_state("mine")["BTC/USD-backfill"] == 5


def test_removed_records_of_files_are_gone_and_others_stay(open_store: OpenStore) -> None:
    store = open_store()
    file = imported_file("data/a.csv")
    hourly = replace(KRAKEN, timeframe=Timeframe(60))
    files = [file, replace(file, series=hourly), replace(file, path='b c,d=e"\\%')]
    store.write_imported_files(files)

    store.remove_imported_files([files[0], files[2], replace(file, path="never there")])

    assert open_store().read_imported_files() == [files[1]]


def test_many_candles_among_others_are_removed_and_the_others_stay(store: Store) -> None:
    put(store, KRAKEN, candles(range(1, 61)))
    times = [START_MS + minute * MINUTE_MS for minute in range(60)]
    gone = [time_ms for index, time_ms in enumerate(times) if index % 10 not in (0, 4)]

    remove(store, KRAKEN, [*gone, times[-1] + 7 * MINUTE_MS])

    left = store.read_candles(KRAKEN, EVERYTHING)["open_time_ms"].to_list()
    assert left == sorted(set(times) - set(gone))
