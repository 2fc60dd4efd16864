"""Rules M2, M9 and M10 on the real SQLite store. Times are minutes after START_MS."""

from dataclasses import replace

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
    MERGED_TETHER,
    MINUTE,
    candles,
    flat,
    minutes,
    minutes_in,
    span,
    spans,
    stored,
)
from settling import keep, keep_flat, merged_rows, settle_merge, settling_of, ticker_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.merge.weighting import merge_candles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import HighLow
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.settle.merging import (
    CANDLES_PER_PIECE,
    MergeTask,
    batches,
    everything,
    merge,
    mergeable,
    unmerged,
)
from candle_ingestor.settle.outcome import MergeCounts
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

ONE, TWO, THREE = (ticker_of(KRAKEN, BITSTAMP, BINANCEUS, minimum=n) for n in (1, 2, 3))


def with_high_low(ticker: Ticker, high_low: HighLow) -> Ticker:
    rules = replace(ticker.basis.rules, high_low=high_low)
    return replace(ticker, basis=replace(ticker.basis, rules=rules))


def test_minutes_that_enough_exchanges_cover_are_merged(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 4, 10.0)
    keep_flat(ledger, BITSTAMP, 1, 5, 20.0)
    keep(ledger, BINANCEUS, span(2, 3), {})

    counts = settle_merge(ledger, TWO)

    assert merged_rows(ledger) == dict.fromkeys((1, 2, 3), (15.0, "kraken,bitstamp"))
    assert ledger.record(MERGED).covered == span(1, 4)
    assert counts.candles == 3


def test_a_minute_without_any_candle_is_covered_and_has_no_row(ledger: Ledger) -> None:
    for source in (KRAKEN, BITSTAMP):
        keep(ledger, source, span(0, 3), {0: 10.0})

    settle_merge(ledger, TWO)

    assert list(merged_rows(ledger)) == [0]
    assert ledger.record(MERGED).covered == span(0, 3)


def test_what_is_left_out_and_what_disagrees_is_counted(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 2, 100.0)
    keep_flat(ledger, BITSTAMP, 0, 2, 100.0)
    keep(ledger, BINANCEUS, span(0, 2), {0: 200.0})

    counts = settle_merge(ledger, THREE)

    assert counts.excluded == {"binanceus": 1}
    assert merged_rows(ledger)[0] == (100.0, "kraken,bitstamp")


def test_minutes_still_awaited_are_left_for_later(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 4)
    ledger.update({MERGED: replace(ledger.record(MERGED), merging=Merging(ONE.basis))})

    merge(ledger, unmerged(ledger, ONE, MergeCounts(), span(1, 3)))
    assert ledger.record(MERGED).covered == spans((0, 1), (3, 4))

    merge(ledger, unmerged(ledger, ONE, MergeCounts()))
    assert ledger.record(MERGED).covered == span(0, 4)


def test_a_series_without_a_basis_is_not_merged_by_chance(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no basis"):
        unmerged(ledger, ONE, MergeCounts())


def test_merging_again_what_is_merged_writes_nothing(store: SqliteStore) -> None:
    ledger = Ledger(store)
    keep_flat(ledger, KRAKEN, 0, 4)
    keep_flat(ledger, BITSTAMP, 0, 3)
    settle_merge(ledger, TWO)

    noting = CrashingStore(store)
    assert settle_merge(Ledger(noting), TWO).candles == 0
    assert settle_merge(Ledger(noting), TWO, everything=True).candles == 0
    assert noting.batches == []


def test_a_row_goes_when_no_exchange_has_a_candle_there_any_more(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 2)
    keep(ledger, BITSTAMP, span(0, 2), {})
    settle_merge(ledger, TWO)
    assert list(merged_rows(ledger)) == [0, 1]

    keep(ledger, KRAKEN, span(0, 2), {0: 10.0})
    counts = settle_merge(ledger, TWO)

    assert list(merged_rows(ledger)) == [0]
    assert ledger.record(MERGED).covered == span(0, 2)
    assert counts.candles == 1


def test_a_row_goes_when_too_few_exchanges_cover_its_minute_any_more(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 4)
    keep_flat(ledger, BITSTAMP, 0, 4)
    settle_merge(ledger, TWO)

    settling = settling_of(ledger, TWO)
    settling.adopt({})
    rejected = {GapReason.REJECTED: span(3, 4)}
    nothing = candles({})
    ledger.replace([Replacement(KRAKEN, span(2, 4), nothing, span(2, 3), reasons=rejected)])
    settling.merge()

    assert list(merged_rows(ledger)) == [0, 1, 2]
    assert ledger.record(MERGED).covered == span(0, 3)
    assert settling.outcomes[TWO].merged.candles == 2


def test_a_run_of_one_ticker_leaves_word_for_another_that_uses_the_same_market(
    ledger: Ledger,
) -> None:
    other = ticker_of(KRAKEN, minimum=1, merged=MERGED_TETHER)
    keep_flat(ledger, KRAKEN, 0, 4)
    settle_merge(ledger, ONE)
    settle_merge(ledger, other)

    again = Ledger(ledger.store)
    keep_flat(again, KRAKEN, 3, 4, 99.0)
    settle_merge(again, ONE)
    assert again.record(MERGED_TETHER).covered == span(0, 3)

    settle_merge(Ledger(ledger.store), other)
    assert merged_rows(ledger, MERGED_TETHER)[3] == (99.0, "kraken")


def test_everything_is_made_by_the_present_basis_and_rows_below_its_minimum_go(
    ledger: Ledger,
) -> None:
    keep_flat(ledger, KRAKEN, 0, 6)
    keep_flat(ledger, BITSTAMP, 2, 4, 20.0)
    settle_merge(ledger, ONE)
    assert list(merged_rows(ledger)) == [0, 1, 2, 3, 4, 5]

    counts = settle_merge(ledger, TWO, everything=True)

    assert merged_rows(ledger) == dict.fromkeys((2, 3), (15.0, "kraken,bitstamp"))
    assert ledger.record(MERGED).covered == span(2, 4)
    assert ledger.record(MERGED).merging == Merging(TWO.basis)
    assert counts.candles == 4


def test_everything_by_a_lower_minimum_fills_what_was_below_it(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 6)
    keep_flat(ledger, BITSTAMP, 2, 4, 20.0)
    settle_merge(ledger, TWO)

    settle_merge(ledger, ONE, everything=True)

    assert list(merged_rows(ledger)) == [0, 1, 2, 3, 4, 5]
    assert ledger.record(MERGED).covered == span(0, 6)


def test_rows_that_lie_outside_of_coverage_go_when_everything_is_merged(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 6)
    keep_flat(ledger, BITSTAMP, 2, 4, 10.0)
    settle_merge(ledger, ONE)
    record = ledger.record(MERGED)
    ledger.update({MERGED: replace(record, coverage=record.coverage.replaced(span(0, 6), EMPTY))})

    settle_merge(ledger, TWO, everything=True)

    assert list(stored(ledger.store, MERGED)) == [2, 3]


@pytest.mark.parametrize("everything", [False, True])
def test_other_rules_count_each_candle_that_goes_and_none_that_stays(
    ledger: Ledger, everything: bool
) -> None:
    flat = dict.fromkeys((0, 1, 4, 5), 10.0)
    keep(ledger, KRAKEN, span(0, 6), flat, provisional=span(1, 6))
    keep_flat(ledger, BITSTAMP, 2, 4)
    settle_merge(ledger, ONE)
    assert list(merged_rows(ledger)) == [0, 1, 2, 3, 4, 5]

    counts = settle_merge(ledger, ticker_of(KRAKEN), everything=everything)

    assert list(merged_rows(ledger)) == [0, 1, 4, 5]
    assert counts.candles == 2


def test_rows_that_no_rule_makes_again_count_as_gone_when_the_rules_change(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 6)
    keep_flat(ledger, BITSTAMP, 2, 4)
    settle_merge(ledger, ONE)
    record = ledger.record(MERGED)
    ledger.update({MERGED: replace(record, coverage=record.coverage.replaced(span(0, 6), EMPTY))})

    counts = settle_merge(ledger, TWO)

    assert list(stored(ledger.store, MERGED)) == [2, 3]
    assert counts.candles == 4


def test_merging_everything_that_was_killed_half_way_goes_on(store: SqliteStore) -> None:
    ledger = Ledger(store)
    end = 3 * CANDLES_PER_PIECE
    keep_flat(ledger, KRAKEN, 0, 10, 100.0)
    keep_flat(ledger, KRAKEN, end - 10, end, 100.0)
    for source in (BITSTAMP, BINANCEUS):
        keep(ledger, source, span(0, end), {})
    settle_merge(ledger, TWO)
    extremes = with_high_low(THREE, HighLow.EXTREMES)

    with pytest.raises(StoreUnavailableError):
        settle_merge(Ledger(CrashingStore(store, fail_at=6)), extremes, everything=True)
    killed = Ledger(store)
    merging = killed.record(MERGED).merging
    assert merging is not None
    assert merging.basis == extremes.basis
    assert merging.formerly_made
    assert merging.formerly_made != span(0, end)
    settle_merge(killed, extremes, everything=True)

    assert killed.record(MERGED).merging == Merging(extremes.basis)
    assert list(merged_rows(killed)) == [*range(10), *range(end - 10, end)]
    assert killed.record(MERGED).covered == spans((0, 10), (end - 10, end))


def test_a_long_time_is_merged_in_pieces_of_bounded_length(ledger: Ledger) -> None:
    end = 2 * CANDLES_PER_PIECE + 5
    keep(ledger, KRAKEN, span(0, end), {0: 1.0, CANDLES_PER_PIECE: 2.0, end - 1: 3.0})

    tasks = everything(ledger, ONE, MergeCounts())
    settle_merge(ledger, ONE)

    assert [task.span for task in tasks] == [
        span(0, CANDLES_PER_PIECE),
        span(CANDLES_PER_PIECE, 2 * CANDLES_PER_PIECE),
        span(2 * CANDLES_PER_PIECE, end),
    ]
    assert list(merged_rows(ledger)) == [0, CANDLES_PER_PIECE, end - 1]


def test_thousands_of_scattered_minutes_are_a_few_pieces(ledger: Ledger) -> None:
    end = CANDLES_PER_PIECE * 3 // 2
    scattered = minutes(range(0, end, 3))
    keep(ledger, KRAKEN, scattered, {0: 1.0, end - 3: 2.0})
    ledger.update({MERGED: replace(ledger.record(MERGED), merging=Merging(ONE.basis))})

    tasks = unmerged(ledger, ONE, MergeCounts())

    assert len(tasks) == 2
    assert tasks[0].span | tasks[1].span == scattered
    merge(ledger, tasks)
    assert ledger.record(MERGED).covered == scattered


def tasks_of(*sizes: tuple[str, int]) -> list[MergeTask]:
    return [
        MergeTask(
            Series.merged(Symbol(base, "USD"), MINUTE), ONE.basis, span(0, size), MergeCounts()
        )
        for base, size in sizes
    ]


def test_small_tasks_are_written_together_and_large_ones_alone() -> None:
    tasks = tasks_of(("A", 2_000), ("B", 2_000), ("A", 1_000), ("C", 20_000), ("D", 1), ("D", 1))

    grouped = list(batches(tasks))

    assert grouped == [tasks[:3], tasks[3:4], tasks[4:]]
    assert list(batches([])) == []


def test_many_small_merges_are_few_writes(store: SqliteStore) -> None:
    ledger = Ledger(store)
    symbols = [Symbol(f"A{number}", "USD") for number in range(100)]
    tickers = []
    for symbol in symbols:
        source = Series("kraken", symbol, MINUTE)
        tickers.append(ticker_of(source, merged=Series.merged(symbol, MINUTE)))
    page = flat(range(5))
    whole = span(0, 5)
    ledger.replace([Replacement(t.sources[0], whole, page, whole) for t in tickers])
    ledger.update({t.merged: SeriesRecord(merging=Merging(t.basis)) for t in tickers})
    noting = CrashingStore(store)
    again = Ledger(noting)

    merge(again, [task for each in tickers for task in unmerged(again, each, MergeCounts())])

    assert len(noting.batches) == 1
    assert all(again.record(each.merged).covered == span(0, 5) for each in tickers)


def test_nothing_known_merges_to_nothing(ledger: Ledger) -> None:
    settle_merge(ledger, TWO)
    settle_merge(ledger, TWO, everything=True)

    assert merged_rows(ledger) == {}
    assert ledger.record(MERGED).covered == EMPTY


SPANS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=3).map(
    lambda pairs: spans(*pairs)
)
PRICES = st.dictionaries(st.integers(0, 9), st.sampled_from([10.0, 10.1, 20.0]))
STEPS = st.lists(
    st.tuples(st.sampled_from([KRAKEN, BITSTAMP, BINANCEUS]), SPANS, PRICES), max_size=6
)


@settings(max_examples=40)
@given(steps=STEPS, minimum=st.integers(1, 3), merges_at=st.sets(st.integers(0, 5)))
def test_however_candles_came_the_merged_series_is_that_of_one_merge_of_all(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[Series, IntervalSet, dict[int, float]]],
    minimum: int,
    merges_at: set[int],
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("merging") / "candles.sqlite")
    ledger = Ledger(store)
    ticker = ticker_of(KRAKEN, BITSTAMP, BINANCEUS, minimum=minimum)
    for number, (series, answered, prices) in enumerate(steps):
        inside = {m: p for m, p in prices.items() if m in minutes_in(answered)}
        keep(ledger, series, answered, inside)
        if number in merges_at:
            settle_merge(ledger, ticker)

    settle_merge(ledger, ticker)

    exact = merge_candles(
        {s.exchange: store.read_candles(s, EVERYTHING) for s in ticker.sources},
        {s.exchange: ledger.record(s).covered for s in ticker.sources},
        EVERYTHING,
        MINUTE,
        ticker.basis.rules,
    )
    assert store.read_candles(MERGED, EVERYTHING).equals(exact.candles)
    assert ledger.record(MERGED).covered == exact.covered == mergeable(ledger, ticker.basis)
    store.close()
