"""Rule C1: a crash between any two writes costs a re-fetch, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl
import pytest
from crashing_store import CrashingStore
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import (
    BITSTAMP,
    EVERYTHING,
    KRAKEN,
    MERGED,
    candles,
    minutes_in,
    ms,
    shown,
    span,
    spans,
    stored,
)
from storing import put

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.merge.weighting import merge_candles
from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.intervals import IntervalSet, covered_at_least
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord
from candle_ingestor.settle.merging import merge, sweep_stale, unmerged
from candle_ingestor.settle.outcome import MergeCounts
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

END = 8
SOURCES = (KRAKEN, BITSTAMP)
Word = dict[int, float]


def page(series: Series, prices: Word, answered: IntervalSet) -> Replacement:
    return Replacement(series, answered, candles(prices), answered)


def basis(minimum: int) -> MergeBasis:
    return MergeBasis(MergeRules(("kraken", "bitstamp"), minimum), SOURCES)


@dataclass
class World:
    """The store after each crash, and what its candles may be."""

    store: SqliteStore
    basis: MergeBasis
    words: dict[Series, Word] = field(default_factory=lambda: {one: {} for one in SOURCES})

    def do(self, batch: list[Replacement], fail_at: int | None) -> None:
        before = {one: dict(word) for one, word in self.words.items()}
        said = {one: [word] for one, word in before.items()}
        for each in batch:
            word = self.words[each.series]
            inside = minutes_in(each.span)
            after = {m: p for m, p in word.items() if m not in inside} | shown(each.candles)
            self.words[each.series] = after
            said[each.series].append(after)
        try:
            self.write(CrashingStore(self.store, fail_at), batch)
        except StoreUnavailableError:
            # A batch is one write: what a page within it said for a while is in no store.
            for one in SOURCES:
                self.words[one] = self.settled(one, before[one], self.words[one])

    def write(self, store: CrashingStore, batch: list[Replacement]) -> None:
        ledger = Ledger(store)
        ledger.replace(batch)
        ticker = Ticker(MERGED, self.basis)
        merge(ledger, unmerged(ledger, ticker, MergeCounts()))

    def settled(self, series: Series, before: Word, after: Word) -> Word:
        """What is stored; in coverage it is what was known before, or what was told last."""
        record = self.store.read_records().get(series, SeriesRecord())
        found = stored(self.store, series)
        for minute in minutes_in(record.covered):
            assert found.get(minute) in (before.get(minute), after.get(minute))
        return found

    def repair(self) -> None:
        """What runs that fetch only what is not covered make of it."""
        for one in SOURCES:
            ledger = Ledger(self.store)
            missing = span(0, END) - ledger.record(one).covered
            truth = candles(dict.fromkeys(minutes_in(missing), 7.0))
            ledger.replace([Replacement(one, missing, truth, missing)])
        self.write(CrashingStore(self.store), [])


PRICES = st.dictionaries(st.integers(0, END - 1), st.sampled_from([1.0, 2.0]))


@st.composite
def replacements(draw: st.DrawFn) -> Replacement:
    pairs = st.lists(st.tuples(st.integers(0, END), st.integers(0, END)), min_size=1, max_size=2)
    whole = spans(*draw(pairs))
    answered = whole & spans(*draw(pairs))
    prices = draw(PRICES)
    inside = {m: p for m, p in prices.items() if answered.contains(ms(m))}
    return Replacement(draw(st.sampled_from(SOURCES)), whole, candles(inside), answered)


STEPS = st.tuples(st.lists(replacements(), min_size=1, max_size=3), st.none() | st.integers(1, 14))


@settings(max_examples=60)
@given(
    begun=st.lists(PRICES, min_size=2, max_size=2),
    steps=st.lists(STEPS, min_size=1, max_size=3),
    minimum=st.integers(1, 2),
)
def test_whatever_crashes_no_record_covers_what_is_not_so_and_the_next_runs_end_right(
    open_store: Callable[[], SqliteStore],
    begun: list[Word],
    steps: list[tuple[list[Replacement], int | None]],
    minimum: int,
) -> None:
    world = after_crashes(open_store(), begun, steps, minimum)

    world.repair()

    records = world.store.read_records()
    for one in SOURCES:
        assert records[one].covered == span(0, END)
    assert records[MERGED].covered == span(0, END)
    assert_merged_is_made_of_what_is_stored(world.store, world.basis)


@settings(max_examples=60)
@given(
    begun=st.lists(PRICES, min_size=2, max_size=2),
    steps=st.lists(STEPS, min_size=1, max_size=3),
    minimum=st.integers(1, 2),
)
def test_what_cannot_be_asked_for_again_after_a_crash_leaves_no_merged_candle_behind(
    open_store: Callable[[], SqliteStore],
    begun: list[Word],
    steps: list[tuple[list[Replacement], int | None]],
    minimum: int,
) -> None:
    world = after_crashes(open_store(), begun, steps, minimum)

    world.write(CrashingStore(world.store), [])
    sweep_stale(Ledger(world.store), Ticker(MERGED, world.basis), MergeCounts())

    assert_merged_is_made_of_what_is_stored(world.store, world.basis)
    merging = Ledger(world.store).record(MERGED).merging
    assert merging is not None
    assert not merging.stale


def test_a_crash_between_cautious_records_leaves_no_merged_minute_covered_without_its_sources(
    open_store: Callable[[], SqliteStore],
) -> None:
    store = open_store()
    world = World(store, basis(1))
    put(store, MERGED, None, SeriesRecord(merging=Merging(world.basis)))
    world.do([page(s, {0: 1, 1: 1}, span(0, 4)) for s in SOURCES], None)
    world.write(CrashingStore(store), [])
    crashing = CrashingStore(store, fail_at=2)

    with pytest.raises(StoreUnavailableError):
        Ledger(crashing).replace(page(s, {0: 9, 1: 9}, span(0, 4)) for s in SOURCES[::-1])

    records = store.read_records()
    assert not records[MERGED].covered & span(0, 2)
    assert all(records[s].covered == span(0, 4) for s in SOURCES)


def after_crashes(
    store: SqliteStore,
    begun: list[Word],
    steps: list[tuple[list[Replacement], int | None]],
    minimum: int,
) -> World:
    world = World(store, basis(minimum))
    put(store, MERGED, None, SeriesRecord(merging=Merging(world.basis)))
    world.do([page(s, p, span(0, END)) for s, p in zip(SOURCES, begun, strict=True)], None)
    for batch, fail_at in steps:
        world.do(batch, fail_at)
    return world


def assert_merged_is_made_of_what_is_stored(store: Store, made_by: MergeBasis) -> None:
    covered = {one.exchange: store.read_records()[one].covered for one in SOURCES}
    frames = {one.exchange: store.read_candles(one, EVERYTHING) for one in SOURCES}
    wanted = merge_candles(frames, covered, EVERYTHING, MERGED.timeframe, made_by.rules)
    assert wanted.covered == covered_at_least(covered.values(), made_by.rules.min_exchanges)
    found: pl.DataFrame = store.read_candles(MERGED, EVERYTHING)
    assert_counts_are_those_of_the_store(store)
    assert found.equals(wanted.candles)


def assert_counts_are_those_of_the_store(store: Store) -> None:
    ledger = Ledger(store)
    for one, record in ledger.records.items():
        candles = candles_within(store.read_candles(one, EVERYTHING), record.countable)
        assert ledger.counts(one) == counted_by_month(candles)
        ledger.count_unknown([one])
        assert store.read_records()[one].counts == CandleCounts(counted_by_month(candles))


def batches_of_a_run() -> list[list[Replacement]]:
    return [
        [page(KRAKEN, {0: 1, 1: 1, 2: 1}, span(0, 4)), page(BITSTAMP, {0: 2, 3: 2}, span(0, 4))],
        [page(KRAKEN, {2: 5, 3: 5, 4: 5}, span(1, 6)), page(BITSTAMP, {5: 2}, span(3, 6))],
        [page(BITSTAMP, {}, span(0, 6)), page(KRAKEN, {5: 3}, span(5, 8))],
    ]


@pytest.mark.parametrize("minimum", [1, 2])
def test_a_run_that_crashes_before_any_write_is_mended_by_reading_what_is_not_covered(
    open_store: Callable[[], SqliteStore], minimum: int
) -> None:
    def run(store: SqliteStore, fail_at: int | None = None) -> CrashingStore:
        crashing = CrashingStore(store, fail_at)
        world = World(store, basis(minimum))
        for batch in batches_of_a_run():
            world.write(crashing, batch)
        return crashing

    def opened() -> SqliteStore:
        store = open_store()
        put(store, MERGED, None, SeriesRecord(merging=Merging(basis(minimum))))
        return store

    writes = run(opened()).writes
    assert writes > 20
    for fail_at in range(1, writes + 1):
        store = opened()
        with pytest.raises(StoreUnavailableError):
            run(store, fail_at)
        World(store, basis(minimum)).repair()
        assert_merged_is_made_of_what_is_stored(store, basis(minimum))
