"""What every store must do, whatever it is made of."""

import threading
from collections.abc import Callable, Iterable

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_ingestor.model.candles import (
    EXCHANGE_CANDLES,
    MERGED_CANDLES,
    VALUE_COLUMNS,
    no_candles,
    schema_of,
)
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import (
    CoverageRecord,
    Store,
    StoreRefusedError,
    read_candles_in_parts,
)

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

    store.write_candles(KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_merged_candles_keep_their_provenance(store: Store) -> None:
    written = merged_candles([1.5, 2.5, 3.5], ["kraken,binance", "kraken", "binance,kraken"])

    store.write_candles(MERGED, written)

    found = store.read_candles(MERGED, EVERYTHING)
    assert found.equals(written.select(MERGED_CANDLES.keys()))
    assert found.schema == pl.Schema(MERGED_CANDLES)


@pytest.mark.parametrize("column", VALUE_COLUMNS)
def test_odd_floats_are_read_back_to_the_bit(store: Store, column: str) -> None:
    written = candles([1.0] * len(ODD_FLOATS)).with_columns(pl.Series(column, ODD_FLOATS))

    store.write_candles(KRAKEN, written)

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

    store.write_candles(KRAKEN, written)

    found = store.read_candles(KRAKEN, minutes(0, len(values)))
    for name in VALUE_COLUMNS:
        assert [value.hex() for value in found[name]] == [value.hex() for value in values]


@pytest.mark.parametrize("row_count", [1, 49, 50, 51, 300, 720, 1000, 5001])
def test_pages_of_any_size_are_written_whole(store: Store, row_count: int) -> None:
    written = candles([50_000 + minute / 8 for minute in range(row_count)])

    store.write_candles(KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_rows_in_any_order_are_read_ascending(store: Store) -> None:
    written = candles([float(minute) for minute in range(200)])

    store.write_candles(KRAKEN, written.sample(fraction=1, shuffle=True, seed=3))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_columns_in_any_order_are_told_apart_by_name(store: Store) -> None:
    written = candles([1.0, 2.0])

    store.write_candles(KRAKEN, written.select(reversed(written.columns)))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_a_candle_of_the_same_open_time_replaces_the_earlier_one(store: Store) -> None:
    store.write_candles(KRAKEN, candles([1.0, 2.0, 3.0]))
    store.write_candles(KRAKEN, candles([20.0, 30.0, 40.0], first_minute=1))

    expected = candles([1.0, 20.0, 30.0, 40.0])
    assert store.read_candles(KRAKEN, EVERYTHING).equals(expected)


def test_a_merged_candle_replaces_the_earlier_one_with_its_provenance(store: Store) -> None:
    store.write_candles(MERGED, merged_candles([1.0, 2.0], ["kraken,binance", "kraken,binance"]))
    store.write_candles(MERGED, merged_candles([9.0], ["kraken"]))

    expected = merged_candles([9.0, 2.0], ["kraken", "kraken,binance"])
    assert store.read_candles(MERGED, EVERYTHING).equals(expected.select(MERGED_CANDLES.keys()))


def test_writing_the_same_twice_changes_nothing(store: Store) -> None:
    written = candles([1.0, 2.0, 3.0])

    store.write_candles(KRAKEN, written)
    store.write_candles(KRAKEN, written)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(written)


def test_writing_no_candles_changes_nothing(store: Store) -> None:
    store.write_candles(KRAKEN, no_candles(KRAKEN))

    assert store.read_candles(KRAKEN, EVERYTHING).is_empty()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", VALUE_COLUMNS)
def test_a_value_that_is_no_number_is_refused_and_nothing_is_written(
    store: Store, column: str, value: float | None
) -> None:
    store.write_candles(KRAKEN, candles([7.0]))
    broken = candles([1.0, 2.0, 3.0]).with_columns(
        pl.Series(column, [1.0, 2.0, value], dtype=pl.Float64())
    )

    with pytest.raises(StoreRefusedError, match="candles of kraken BTC/USD 1m"):
        store.write_candles(KRAKEN, broken)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles([7.0]))


def test_a_merged_candle_without_provenance_is_refused(store: Store) -> None:
    broken = merged_candles([1.0], ["kraken"]).with_columns(
        pl.lit(None, pl.String()).alias("source_exchanges")
    )

    with pytest.raises(StoreRefusedError, match="candles of aggregated BTC/USD 1m"):
        store.write_candles(MERGED, broken)


def test_candles_of_other_columns_are_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="other columns"):
        store.write_candles(MERGED, candles([1.0]))
    with pytest.raises(ValueError, match="other columns"):
        store.write_candles(KRAKEN, candles([1.0]).with_columns(pl.col("open").cast(pl.Float32)))


def test_reads_take_the_start_and_leave_the_end_of_an_interval(store: Store) -> None:
    store.write_candles(KRAKEN, candles([float(minute) for minute in range(10)]))

    found = store.read_candles(KRAKEN, minutes(3, 6))

    assert found["open"].to_list() == [3.0, 4.0, 5.0]


def test_an_interval_of_no_duration_holds_no_candle(store: Store) -> None:
    store.write_candles(KRAKEN, candles([1.0]))

    assert store.read_candles(KRAKEN, minutes(0, 0)).is_empty()


@pytest.mark.parametrize("series", [KRAKEN, MERGED], ids=str)
def test_what_was_never_written_is_read_as_a_frame_without_rows(
    store: Store, series: Series
) -> None:
    before_anything = store.read_candles(series, EVERYTHING)
    store.write_candles(KRAKEN, candles([1.0]))
    store.write_candles(MERGED, merged_candles([1.0], ["kraken"]))
    outside = store.read_candles(series, minutes(5, 9))

    for found in (before_anything, outside):
        assert found.is_empty()
        assert found.schema == pl.Schema(schema_of(series))


def test_reading_in_parts_yields_the_same_candles(store: Store) -> None:
    written = candles([float(minute) for minute in range(100)])
    store.write_candles(KRAKEN, written)

    parts = list(read_candles_in_parts(store, KRAKEN, minutes(0, 100), 30 * MINUTE_MS))

    assert [part.height for part in parts] == [30, 30, 30, 10]
    assert pl.concat(parts).equals(written)


def test_deleting_removes_the_named_candles_only(store: Store) -> None:
    store.write_candles(KRAKEN, candles([0.0, 1.0, 2.0, 3.0]))
    store.write_candles(MERGED, merged_candles([0.0, 1.0], ["kraken", "kraken"]))

    absent = minutes(50, 51).start_ms
    store.delete_candles(KRAKEN, [minutes(1, 2).start_ms, minutes(3, 4).start_ms, absent])
    store.delete_candles(MERGED, iter([minutes(0, 1).start_ms]))

    assert store.read_candles(KRAKEN, EVERYTHING)["open"].to_list() == [0.0, 2.0]
    assert store.read_candles(MERGED, EVERYTHING)["open"].to_list() == [1.0]


def test_deleting_from_a_series_never_written_is_harmless(store: Store) -> None:
    store.delete_candles(KRAKEN, [START_MS])
    store.write_candles(MERGED, merged_candles([1.0], ["kraken"]))
    store.delete_candles(KRAKEN, [START_MS])

    assert store.read_candles(MERGED, EVERYTHING).height == 1


def test_series_that_differ_in_one_part_are_kept_apart(store: Store) -> None:
    series = [
        KRAKEN,
        Series("bitstamp", BITCOIN, Timeframe(1)),
        Series("kraken", Symbol("BTC", "USDT"), Timeframe(1)),
        Series("kraken", Symbol("TBTC", "USD"), Timeframe(1)),
        Series("kraken", BITCOIN, Timeframe(5)),
    ]

    for number, one in enumerate(series):
        store.write_candles(one, candles([float(number)]))
        store.write_coverage({one: CoverageRecord(covered=IntervalSet([minutes(0, number + 1)]))})

    for number, one in enumerate(series):
        assert store.read_candles(one, EVERYTHING)["open"].to_list() == [float(number)]
    assert {
        one: record.covered.duration_ms for one, record in store.read_coverage(series).items()
    } == {one: (number + 1) * MINUTE_MS for number, one in enumerate(series)}


@pytest.mark.parametrize(
    "symbol", [Symbol("1INCH", "USD"), Symbol("A" * 20, "B" * 20)], ids=["digit", "long"]
)
def test_any_symbol_names_a_series(store: Store, symbol: Symbol) -> None:
    series = Series("kraken", symbol, Timeframe(1))

    store.write_candles(series, candles([1.0]))
    store.write_coverage({series: CoverageRecord(covered=IntervalSet([minutes(0, 1)]))})

    assert store.read_candles(series, EVERYTHING).height == 1
    assert store.list_series() == [series]


def test_a_coverage_record_is_read_back_with_all_it_knows(store: Store) -> None:
    record = CoverageRecord(
        covered=IntervalSet([minutes(0, 10), minutes(20, 30)]),
        reasons={
            GapReason.FETCH_FAILED: IntervalSet([minutes(10, 12)]),
            GapReason.REJECTED: IntervalSet([minutes(12, 13), minutes(15, 16)]),
        },
        listed_from_ms=1_500_000_000_000,
        merge_rules={
            "exchanges": ["kraken", "binance"],
            "minimum": 2,
            "max_price_deviation_pct": 5.5,
            "high_low": "extremes",
            "aliases": {"USD": "USDT"},
            "note": None,
        },
        former_rules=IntervalSet([minutes(0, 4)]),
    )

    store.write_coverage({MERGED: record})

    assert store.read_coverage([MERGED]) == {MERGED: record}


def test_each_reason_and_its_order_survive(store: Store) -> None:
    reasons = {
        reason: IntervalSet([minutes(2 * number, 2 * number + 1)])
        for number, reason in enumerate(reversed(GapReason))
    }

    store.write_coverage({KRAKEN: CoverageRecord(reasons=reasons)})

    found = store.read_coverage([KRAKEN])[KRAKEN].reasons
    assert list(found.items()) == list(reasons.items())


def test_a_record_of_many_thousand_intervals_survives(store: Store) -> None:
    covered = IntervalSet(minutes(2 * number, 2 * number + 1) for number in range(20_000))

    store.write_coverage({KRAKEN: CoverageRecord(covered=covered)})

    assert store.read_coverage([KRAKEN])[KRAKEN].covered == covered


def test_a_record_replaces_the_earlier_one_whole(store: Store) -> None:
    covered = IntervalSet(minutes(2 * number, 2 * number + 1) for number in range(20_000))
    reasons = {GapReason.REJECTED: IntervalSet([minutes(1, 2)])}
    smaller = CoverageRecord(covered=IntervalSet([minutes(0, 5)]))
    store.write_coverage({KRAKEN: CoverageRecord(covered=covered, reasons=reasons)})

    store.write_coverage({KRAKEN: smaller})

    assert store.read_coverage([KRAKEN]) == {KRAKEN: smaller}


def test_a_series_without_a_record_has_an_empty_one(store: Store) -> None:
    store.write_coverage({KRAKEN: CoverageRecord(covered=IntervalSet([minutes(0, 1)]))})

    assert store.read_coverage([MERGED]) == {MERGED: CoverageRecord()}
    assert store.read_coverage([]) == {}


def test_series_with_a_record_are_listed_in_order(store: Store) -> None:
    assert store.list_series() == []
    series = [
        Series(exchange, symbol, timeframe)
        for exchange in ("kraken", "aggregated", "binance")
        for symbol in (Symbol("ETH", "USD"), BITCOIN)
        for timeframe in (Timeframe(60), Timeframe(1))
    ]

    store.write_coverage({one: CoverageRecord() for one in series})
    store.write_candles(Series("bitstamp", BITCOIN, Timeframe(1)), candles([1.0]))

    assert store.list_series() == sorted(series)


def test_many_records_are_written_and_read_at_once(store: Store) -> None:
    records = {
        Series("kraken", Symbol(f"A{number}", "USD"), Timeframe(1)): CoverageRecord(
            covered=IntervalSet([minutes(number, number + 1)])
        )
        for number in range(500)
    }

    store.write_coverage(records)

    assert store.read_coverage(records) == records


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


def test_run_reports_are_read_newest_first(store: Store) -> None:
    assert store.read_runs(5) == []
    for started_ms in (3_000, 1_000, 5_000, 2_000, 4_000):
        store.write_run(report(f"run-{started_ms}", started_ms))

    assert [run["started_ms"] for run in store.read_runs(3)] == [5_000, 4_000, 3_000]
    assert len(store.read_runs(100)) == 5


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
    record = CoverageRecord(covered=IntervalSet([minutes(0, 2)]))
    first = open_store()
    first.write_candles(KRAKEN, candles([1.0, 2.0]))
    first.write_candles(MERGED, merged_candles([1.0, 2.0], ["kraken", "kraken"]))
    first.write_coverage({KRAKEN: record})
    first.write_state("ingestor", {"BTC/USD-backfill": 9})
    first.write_run(report("a", 1))
    first.close()

    second = open_store()
    second.write_candles(KRAKEN, candles([3.0], first_minute=2))

    assert second.read_candles(KRAKEN, EVERYTHING)["open"].to_list() == [1.0, 2.0, 3.0]
    assert second.read_candles(MERGED, EVERYTHING)["exchange_count"].to_list() == [1, 1]
    assert second.read_coverage([KRAKEN]) == {KRAKEN: record}
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
                writer.write_candles(KRAKEN, page_candles)
                covered = covered | IntervalSet([minutes(first, first + page_size)])
                writer.write_coverage({KRAKEN: CoverageRecord(covered=covered)})
        finally:
            finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    try:
        while not finished.is_set() or reads == 0:
            covered = reader.read_coverage([KRAKEN])[KRAKEN].covered
            found = reader.read_candles(KRAKEN, EVERYTHING)
            expected = [float(minute) for minute in range(covered.duration_ms // MINUTE_MS)]
            assert found["open"].to_list()[: len(expected)] == expected
            reads += 1
    finally:
        thread.join()

    assert reader.read_coverage([KRAKEN])[KRAKEN].covered.duration_ms == (
        page_count * page_size * MINUTE_MS
    )


def test_threads_may_share_a_store(store: Store) -> None:
    series = [Series(f"exchange{number}", BITCOIN, Timeframe(1)) for number in range(4)]
    failures: list[BaseException] = []

    def work(one: Series) -> None:
        try:
            for page in range(10):
                store.write_candles(one, candles([float(page)] * 50, first_minute=page * 50))
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
    store.write_candles(KRAKEN, candles([1.0]))
    store.check()

    assert store.list_series() == []
    assert store.read_state("check") == {}
    assert store.read_runs(10) == []
    assert store.read_candles(KRAKEN, EVERYTHING).height == 1


def test_the_description_says_which_store_it_is(store: Store) -> None:
    assert len(store.description) > 5


def test_closing_twice_is_harmless_and_a_closed_store_says_so(store: Store) -> None:
    store.write_candles(KRAKEN, candles([1.0]))
    store.close()
    store.close()

    with pytest.raises(StoreRefusedError, match="closed"):
        store.read_candles(KRAKEN, EVERYTHING)
