"""What every store must do with records of series and changes of many, whatever it is made of."""

import polars as pl
import pytest
from conforming import (
    EVERYTHING,
    FULL_RECORD,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    START_MS,
    OpenStore,
    candles,
    coverages,
    merged_candles,
    minutes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import covering, keep, put

from candle_ingestor.model.candles import (
    schema_of,
)
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    SeriesRecord,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, Store, StoreRefusedError

DERIVED_RECORD = SeriesRecord(
    Coverage(IntervalSet([minutes(0, 2)])),
    derivation=Derivation(MERGED, 90.0, IntervalSet([minutes(0, 1)]), IntervalSet([minutes(3, 4)])),
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
