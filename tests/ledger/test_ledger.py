"""Rules C1 and C2 on the real SQLite store. Times are minutes after START_MS."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from crashing_store import CrashingStore
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import (
    BINANCEUS,
    BITSTAMP,
    EVERYTHING,
    KRAKEN,
    MERGED,
    MINUTE,
    TETHER,
    candles,
    flat,
    minutes_in,
    ms,
    shown,
    span,
    spans,
    stored,
)
from storing import covering, put

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Kept, Replacement
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
)
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

RULES = MergeRules(("kraken", "bitstamp"), 1)
MERGED_TETHER = Series.merged(TETHER, MINUTE)
FIVE_MINUTES = Series.merged(MERGED.symbol, Timeframe(5))
HOUR = Series.merged(MERGED.symbol, Timeframe(60))
TARGET = "/data"
MARCH = Month.of(ms(0))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "candles.sqlite")
    yield store
    store.close()


def page(
    series: Series,
    prices: dict[int, float],
    answered: IntervalSet,
    provisional: IntervalSet = EMPTY,
    *,
    within: IntervalSet | None = None,
) -> Replacement:
    whole = answered if within is None else within
    return Replacement(series, whole, candles(prices), answered, provisional)


def made_of(*sources: Series) -> Merging:
    return Merging(MergeBasis(RULES, sources))


def merged_row(minute: int, price: float = 10.0) -> pl.DataFrame:
    return flat([minute], price).with_columns(
        source_exchanges=pl.lit("kraken"), exchange_count=pl.lit(1, pl.Int64())
    )


def test_a_page_is_stored_and_covered(store: SqliteStore) -> None:
    ledger = Ledger(store)

    kept = ledger.replace([page(KRAKEN, {0: 10, 1: 10, 3: 10}, span(0, 5), span(3, 5))])

    assert kept == [Kept(new=3, revised=0)]
    assert stored(store, KRAKEN) == {0: 10, 1: 10, 3: 10}
    assert ledger.record(KRAKEN).coverage == Coverage(span(0, 5), span(3, 5))
    assert ledger.counts(KRAKEN) == {MARCH: 3}
    assert store.read_records() == {KRAKEN: ledger.record(KRAKEN)}


def test_an_empty_page_covers_minutes_without_trade(store: SqliteStore) -> None:
    ledger = Ledger(store)

    assert ledger.replace([page(KRAKEN, {}, span(0, 5))]) == [Kept(0, 0)]
    assert ledger.record(KRAKEN).covered == span(0, 5)
    assert stored(store, KRAKEN) == {}


def test_a_span_becomes_what_the_page_says_and_nothing_else_changes(store: SqliteStore) -> None:
    ledger = Ledger(store)
    ledger.replace([page(KRAKEN, dict.fromkeys(range(10), 10.0), span(0, 10), span(4, 10))])

    again = page(KRAKEN, {3: 10, 4: 11}, span(3, 5), span(4, 5), within=span(3, 7))
    kept = ledger.replace([again])

    assert kept == [Kept(new=0, revised=3)]
    assert stored(store, KRAKEN) == {0: 10, 1: 10, 2: 10, 3: 10, 4: 11, 7: 10, 8: 10, 9: 10}
    assert ledger.record(KRAKEN).covered == spans((0, 5), (7, 10))
    assert ledger.record(KRAKEN).provisional == spans((4, 5), (7, 10))


def test_only_what_differs_reaches_the_store(store: SqliteStore) -> None:
    Ledger(store).replace([page(KRAKEN, dict.fromkeys(range(10), 10.0), span(0, 10))])
    noting = CrashingStore(store)
    ledger = Ledger(noting)

    ledger.replace([page(KRAKEN, {5: 10, 6: 12, 8: 10, 9: 10, 10: 10}, span(5, 11))])

    ((change,),) = noting.batches
    assert change.candles is not None
    assert shown(change.candles) == {6: 12, 10: 10}
    assert list(change.deleted) == [ms(7)]


def test_the_same_page_again_writes_nothing(store: SqliteStore) -> None:
    Ledger(store).replace([page(KRAKEN, {0: 10, 1: 10}, span(0, 5), span(4, 5))])
    noting = CrashingStore(store)
    ledger = Ledger(noting)

    assert ledger.replace([page(KRAKEN, {0: 10, 1: 10}, span(0, 5), span(4, 5))]) == [Kept(0, 0)]
    assert noting.batches == []


def test_many_pages_of_many_series_are_one_write(store: SqliteStore) -> None:
    noting = CrashingStore(store)
    ledger = Ledger(noting)

    kept = ledger.replace(
        [
            page(KRAKEN, {0: 10, 4: 10}, span(0, 5)),
            page(BITSTAMP, {0: 20}, span(0, 5)),
            page(KRAKEN, {4: 10, 5: 10}, span(4, 9)),
            page(KRAKEN, {}, span(9, 12)),
        ]
    )

    assert kept == [Kept(2, 0), Kept(1, 0), Kept(1, 0), Kept(0, 0)]
    assert [sorted(str(c.series) for c in batch) for batch in noting.batches] == [
        sorted([str(KRAKEN), str(BITSTAMP)])
    ]
    assert stored(store, KRAKEN) == {0: 10, 4: 10, 5: 10}
    assert ledger.record(KRAKEN).covered == span(0, 12)


def test_a_candle_that_one_page_removes_and_the_next_shows_is_there(store: SqliteStore) -> None:
    Ledger(store).replace([page(KRAKEN, {3: 10, 4: 10}, span(0, 5))])
    ledger = Ledger(store)

    kept = ledger.replace(
        [page(KRAKEN, {3: 10}, span(0, 5)), page(KRAKEN, {4: 10, 5: 10}, span(4, 9))]
    )

    assert kept == [Kept(0, 1), Kept(2, 0)]
    assert stored(store, KRAKEN) == {3: 10, 4: 10, 5: 10}


def test_a_candle_that_one_page_shows_and_the_next_does_not_is_gone(store: SqliteStore) -> None:
    ledger = Ledger(store)

    ledger.replace([page(KRAKEN, {3: 10, 4: 10}, span(0, 5)), page(KRAKEN, {5: 10}, span(4, 9))])

    assert stored(store, KRAKEN) == {3: 10, 5: 10}


def test_what_a_crash_left_outside_of_coverage_is_replaced_with_the_rest(
    store: SqliteStore,
) -> None:
    put(store, KRAKEN, flat(range(5)))
    ledger = Ledger(store)

    ledger.replace([page(KRAKEN, {0: 10, 1: 11, 4: 10}, span(0, 5))])

    assert stored(store, KRAKEN) == {0: 10, 1: 11, 4: 10}
    assert ledger.record(KRAKEN).covered == span(0, 5)


def test_a_reason_holds_until_its_minutes_are_covered(store: SqliteStore) -> None:
    ledger = Ledger(store)
    failed = {GapReason.FETCH_FAILED: span(5, 9)}

    ledger.replace([replace(page(KRAKEN, {}, span(0, 5)), reasons=failed)])
    assert ledger.record(KRAKEN).coverage.reasons == failed
    ledger.replace([page(KRAKEN, {}, span(5, 7))])
    assert ledger.record(KRAKEN).coverage.reasons == {GapReason.FETCH_FAILED: span(7, 9)}
    assert Ledger(store).record(KRAKEN) == ledger.record(KRAKEN)


def test_a_failed_page_leaves_what_is_known_and_is_remembered(store: SqliteStore) -> None:
    ledger = Ledger(store)
    ledger.replace([page(KRAKEN, {0: 10}, span(0, 5))])

    failed = {GapReason.FETCH_FAILED: span(3, 9)}
    ledger.replace([replace(page(KRAKEN, {}, EMPTY), reasons=failed)])

    assert stored(store, KRAKEN) == {0: 10}
    assert ledger.record(KRAKEN).covered == span(0, 5)
    assert ledger.record(KRAKEN).coverage.reasons == {GapReason.FETCH_FAILED: span(5, 9)}


def test_what_is_learnt_of_the_listing_is_kept(store: SqliteStore) -> None:
    ledger = Ledger(store)
    learnt = Listing(first_day_ms=ms(0))

    ledger.replace([replace(page(KRAKEN, {}, EMPTY), listing=learnt)])
    ledger.replace([page(KRAKEN, {}, span(0, 5))])

    assert Ledger(store).record(KRAKEN).listing == learnt


@pytest.mark.parametrize("now_shown", [{3: 10.0, 4: 11.0}, {3: 10.0}, {3: 10.0, 4: 10.0, 2: 1.0}])
def test_a_candle_revised_withdrawn_or_late_makes_its_minute_stale_in_all_that_use_it(
    store: SqliteStore, now_shown: dict[int, float]
) -> None:
    merging = made_of(KRAKEN, BITSTAMP)
    put(store, KRAKEN, flat([3, 4]), covering(span(0, 60)))
    put(store, MERGED, None, replace(covering(span(0, 60)), merging=merging))
    put(store, MERGED_TETHER, None, replace(covering(span(0, 60)), merging=merging))
    ledger = Ledger(store)
    known = covering(span(0, 60))
    ledger.update(
        {
            FIVE_MINUTES: replace(known, merging=made_of(MERGED)),
            HOUR: replace(known, merging=made_of(FIVE_MINUTES)),
        }
    )

    ledger.replace([page(KRAKEN, now_shown, span(0, 5))])

    minute = 2 if 2 in now_shown else 4
    for one in (MERGED, MERGED_TETHER):
        assert ledger.record(one).covered == span(0, 60) - span(minute, minute + 1)
    assert ledger.record(FIVE_MINUTES).covered == span(5, 60)
    assert ledger.record(HOUR).covered == EMPTY
    again = Ledger(store)
    assert {s: r.covered for s, r in again.records.items()} == {
        s: r.covered for s, r in ledger.records.items()
    }


def test_growing_coverage_makes_stale_what_was_made_without_it(store: SqliteStore) -> None:
    put(store, MERGED, None, replace(covering(span(0, 9)), merging=made_of(KRAKEN, BITSTAMP)))
    ledger = Ledger(store)

    ledger.replace([page(BITSTAMP, {}, span(3, 5))])

    assert ledger.record(MERGED).covered == spans((0, 3), (5, 9))


def test_what_former_rules_made_becomes_stale_with_its_own_sources(store: SqliteStore) -> None:
    former = (MergeBasis(RULES, (BINANCEUS,)), span(0, 5))
    merging = Merging(MergeBasis(RULES, (KRAKEN,)), (former,))
    put(store, MERGED, None, replace(covering(span(0, 9)), merging=merging))
    ledger = Ledger(store)

    ledger.replace([page(BINANCEUS, {}, span(3, 4))])

    assert ledger.record(MERGED).covered == spans((0, 3), (4, 9))


def test_a_page_that_changes_nothing_but_provisional_minutes_makes_nothing_stale(
    store: SqliteStore,
) -> None:
    put(store, KRAKEN, flat([3, 4]), covering(span(0, 5), span(3, 5)))
    record = replace(covering(span(0, 5)), merging=made_of(KRAKEN))
    put(store, MERGED, merged_row(4), record)
    ledger = Ledger(store)

    ledger.replace([page(KRAKEN, {3: 10, 4: 10}, span(3, 5))])

    assert ledger.record(KRAKEN) == covering(span(0, 5))
    assert ledger.record(MERGED) == record


def test_what_changes_is_noted_for_every_place_that_is_exported_to(store: SqliteStore) -> None:
    known = Exports({TARGET: {}, "/other": {}}, (2, 8))
    put(store, KRAKEN, flat([0, 3]), replace(covering(span(-9, 5)), exports=known))
    merging = made_of(KRAKEN)
    put(store, MERGED, None, replace(covering(span(-9, 5)), merging=merging, exports=known))
    ledger = Ledger(store)

    ledger.replace([page(KRAKEN, {-2: 1, 0: 10, 3: 11}, span(-4, 5))])

    lacking = {Month(2024, 2): ms(-2), Month(2024, 3): ms(3)}
    for series in (KRAKEN, MERGED):
        backlog = ledger.record(series).exports.backlog
        assert backlog == {TARGET: lacking, "/other": lacking}


def test_updates_write_what_differs_and_only_that(store: SqliteStore) -> None:
    noting = CrashingStore(store)
    ledger = Ledger(noting)
    record = SeriesRecord(precision=Precision(2, 8), catch_up_from_ms=ms(0))

    ledger.update({KRAKEN: record, BITSTAMP: SeriesRecord()})
    ledger.update({KRAKEN: record})

    assert [[change.series for change in batch] for batch in noting.batches] == [[KRAKEN]]
    assert store.read_records() == {KRAKEN: record}


def test_sources_learnt_by_an_update_count_for_what_changes_after(store: SqliteStore) -> None:
    put(store, MERGED, None, covering(span(0, 5)))
    ledger = Ledger(store)
    assert list(ledger.dependents(KRAKEN)) == []

    ledger.update({MERGED: replace(ledger.record(MERGED), merging=made_of(KRAKEN))})
    ledger.replace([page(KRAKEN, {}, span(0, 2))])

    assert ledger.record(MERGED).covered == span(2, 5)


def test_a_store_that_cannot_tell_its_records_is_no_empty_store(tmp_path: Path) -> None:
    path = tmp_path / "candles.sqlite"
    path.write_bytes(b"this is no database" * 1000)

    with pytest.raises(Exception, match=r"candles\.sqlite"):
        Ledger(SqliteStore(path))


def test_a_write_that_failed_leaves_nothing_in_hand_that_is_not_stored(store: SqliteStore) -> None:
    Ledger(store).replace([page(KRAKEN, {0: 10}, span(0, 5))])
    failing = Ledger(CrashingStore(store, fail_at=1))
    failing.take_newest([KRAKEN], ms(0))

    with pytest.raises(StoreUnavailableError):
        failing.replace([page(KRAKEN, {0: 99, 1: 99}, span(0, 5))])

    assert shown(failing.candles(KRAKEN, EVERYTHING)) == {0: 10}
    assert failing.last_open_ms(KRAKEN, ms(9)) == ms(0)
    assert failing.record(KRAKEN).coverage == Coverage(span(0, 5))


PRICES = st.dictionaries(st.integers(0, 11), st.sampled_from([1.0, 2.0]))
SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=2).map(
    lambda pairs: spans(*pairs)
)


@st.composite
def replacements(draw: st.DrawFn, series: Series) -> Replacement:
    whole = draw(SPANS)
    answered = whole & draw(SPANS)
    provisional = answered & draw(SPANS)
    prices = {m: p for m, p in draw(PRICES).items() if answered.contains(ms(m))}
    return page(series, prices, answered, provisional, within=whole)


SOURCES = st.sampled_from([KRAKEN, BITSTAMP])
BATCHES = st.lists(SOURCES.flatmap(replacements), max_size=4)


@settings(max_examples=100)
@given(batches=st.lists(BATCHES, max_size=4), newest=st.none() | st.integers(0, 12))
def test_any_replacements_leave_exactly_what_the_last_of_each_minute_said(
    open_store: Callable[[], SqliteStore], batches: list[list[Replacement]], newest: int | None
) -> None:
    store = open_store()
    ledger = Ledger(store)
    if newest is not None:
        ledger.take_newest([KRAKEN, BITSTAMP], ms(newest))
    model: dict[Series, dict[int, float]] = {KRAKEN: {}, BITSTAMP: {}}
    covered = {KRAKEN: EMPTY, BITSTAMP: EMPTY}
    provisional = {KRAKEN: EMPTY, BITSTAMP: EMPTY}
    for batch in batches:
        kept = ledger.replace(batch)
        for each, found in zip(batch, kept, strict=True):
            one = each.series
            inside = minutes_in(each.span)
            before = {m: p for m, p in model[one].items() if m in inside}
            after = shown(each.candles)
            model[one] = {m: p for m, p in model[one].items() if m not in inside} | after
            covered[one] = (covered[one] - each.span) | each.answered
            provisional[one] = (provisional[one] - each.span) | each.provisional
            differing = {m for m in before if before[m] != after.get(m)}
            assert found == Kept(len(after.keys() - before.keys()), len(differing))
        for one in (KRAKEN, BITSTAMP):
            assert stored(store, one) == model[one]
            assert ledger.record(one).coverage == Coverage(covered[one], provisional[one])
            assert ledger.counts(one) == ({MARCH: len(model[one])} if model[one] else {})
            assert shown(ledger.candles(one, Interval(ms(2), ms(9)))) == {
                m: p for m, p in model[one].items() if 2 <= m < 9
            }
            if covered[one]:
                last = max((m for m in model[one] if m < 9), default=None)
                assert ledger.last_open_ms(one, ms(9)) == (None if last is None else ms(last))
        assert store.read_records() == ledger.records


def test_nothing_known_has_no_newest_candle(store: SqliteStore) -> None:
    assert Ledger(store).last_open_ms(KRAKEN, ms(5)) is None
    assert Ledger(store).candles(MERGED, EVERYTHING).equals(no_candles(MERGED))
    put(store, MERGED, None, covering(span(0, 5)))
    assert Ledger(store).candles(MERGED, EVERYTHING).equals(no_candles(MERGED))


def test_the_newest_of_many_series_are_read_in_one_request(store: SqliteStore) -> None:
    put(store, KRAKEN, flat(range(10)), covering(span(0, 10)))
    put(store, MERGED, merged_row(7), covering(span(0, 10)))
    ledger = Ledger(store)
    ledger.take_newest([KRAKEN, BITSTAMP, MERGED], ms(5))
    store.close()
    (store_path,) = [part for part in store.description.split() if part.endswith(".sqlite")]
    Path(store_path).unlink()

    assert sorted(shown(ledger.candles(KRAKEN, Interval(ms(5), ms(99))))) == [5, 6, 7, 8, 9]
    assert shown(ledger.candles(MERGED, Interval(ms(6), ms(99)))) == {7: 10}
    assert ledger.candles(BITSTAMP, Interval(ms(5), ms(99))).is_empty()
    assert ledger.last_open_ms(KRAKEN, ms(7)) == ms(6)
