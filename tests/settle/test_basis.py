"""Rule M10: what a merged series is made by, and what becomes of its past when that changes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import (
    BINANCEUS,
    BITCOIN,
    BITSTAMP,
    KRAKEN,
    MERGED,
    MINUTE,
    TETHER,
    candles,
    ms,
    span,
    spans,
)
from settling import keep, keep_flat, merged_rows, settle_merge, settling_of, ticker_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.settle.ticker import Ticker, basis_of, choose_basis
from candle_ingestor.stores.sqlite.store import SqliteStore

ONE = ticker_of(KRAKEN, BITSTAMP, minimum=1)
TWO = ticker_of(KRAKEN, BITSTAMP, minimum=2)


def told(ledger: Ledger, ticker: Ticker) -> list[str]:
    """What adopting the ticker's basis says."""
    settling = settling_of(ledger, ticker)
    settling.adopt({})
    return settling.outcomes[ticker].rule_changes


def merging_of(ledger: Ledger) -> Merging:
    merging = ledger.record(MERGED).merging
    assert merging is not None
    return merging


def test_a_first_basis_is_taken_without_a_word(ledger: Ledger) -> None:
    assert told(ledger, TWO) == []
    assert merging_of(ledger) == Merging(TWO.basis)
    assert told(ledger, TWO) == []
    assert Ledger(ledger.store).record(MERGED) == ledger.record(MERGED)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (ticker_of(KRAKEN, BITSTAMP, minimum=1), "min_exchanges: 2 -> 1"),
        (ticker_of(BITSTAMP, KRAKEN, minimum=2), "exchanges: kraken,bitstamp -> bitstamp,kraken"),
    ],
)
def test_other_rules_are_told_once(ledger: Ledger, changed: Ticker, words: str) -> None:
    told(ledger, TWO)

    assert told(ledger, changed) == [words]
    assert told(ledger, changed) == []


@pytest.mark.parametrize("has_another_source", [False, True])
def test_a_higher_minimum_leaves_the_past_as_it_is_to_its_newest_candle(
    store: SqliteStore, has_another_source: bool
) -> None:
    february = ticker_of(KRAKEN) if has_another_source else ONE
    ledger = Ledger(store)
    keep(ledger, KRAKEN, span(-10, 0), dict.fromkeys(range(-10, 0), 10.0), span(-2, 0))
    settle_merge(ledger, february)
    before = merged_rows(ledger)
    assert sorted(before) == list(range(-10, 0))

    march = Ledger(store)
    settling = settling_of(march, TWO)
    settling.adopt({})
    assert settling.outcomes[TWO].rule_changes != []
    keep_flat(march, KRAKEN, 0, 5)
    keep_flat(march, BITSTAMP, 0, 5, 20.0)
    settling.merge()

    rows = merged_rows(march)
    assert {minute: rows[minute] for minute in range(-10, 0)} == before
    assert {rows[minute] for minute in range(5)} == {(15.0, "kraken,bitstamp")}
    assert march.record(MERGED).covered == span(-10, 5)
    assert merging_of(march).former == ((february.basis, span(-10, 0)),)


def test_a_later_revision_in_the_former_part_is_merged_by_the_former_basis(
    ledger: Ledger,
) -> None:
    keep_flat(ledger, KRAKEN, -10, 0)
    settle_merge(ledger, ONE)
    settle_merge(ledger, TWO)

    keep_flat(ledger, KRAKEN, -1, 0, 12.0)
    keep_flat(ledger, BITSTAMP, -3, -2, 20.0)
    settle_merge(ledger, TWO)

    rows = merged_rows(ledger)
    assert rows[-1] == (12.0, "kraken")
    assert rows[-3] == (15.0, "kraken,bitstamp")
    assert rows[-2] == (10.0, "kraken")
    assert ledger.record(MERGED).covered == span(-10, 0)
    assert merging_of(ledger).former == ((ONE.basis, span(-10, 0)),)


def test_a_revision_is_merged_by_its_basis_even_if_a_run_died_before_it_could(
    store: SqliteStore,
) -> None:
    ledger = Ledger(store)
    keep_flat(ledger, KRAKEN, -10, 0)
    settle_merge(ledger, ONE)
    told(ledger, TWO)
    keep_flat(ledger, KRAKEN, -1, 0, 12.0)
    assert ledger.record(MERGED).covered == span(-10, -1)

    settle_merge(Ledger(store), TWO)

    assert merged_rows(ledger)[-1] == (12.0, "kraken")


def test_what_former_exchanges_can_make_no_more_is_made_by_the_present_basis(
    ledger: Ledger,
) -> None:
    keep_flat(ledger, KRAKEN, -10, 0)
    keep_flat(ledger, BITSTAMP, -10, 0, 20.0)
    settle_merge(ledger, TWO)
    alone = ticker_of(KRAKEN)
    settle_merge(ledger, alone)
    assert merging_of(ledger).former == ((TWO.basis, span(-10, 0)),)

    keep(ledger, KRAKEN, span(-2, 0), {})
    ledger.replace([Replacement(BITSTAMP, span(-10, -5), candles({}), EMPTY)])
    settle_merge(ledger, alone)

    assert merging_of(ledger).former == ((TWO.basis, span(-5, 0)),)
    assert ledger.record(MERGED).covered == span(-10, 0)
    assert merged_rows(ledger)[-6] == (10.0, "kraken")
    assert merged_rows(ledger)[-5] == (15.0, "kraken,bitstamp")


def test_what_former_rules_may_yet_make_is_left_to_them(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, -10, 0)
    keep_flat(ledger, BITSTAMP, -10, 0, 20.0)
    settle_merge(ledger, TWO)
    settle_merge(ledger, ONE)

    ledger.replace([Replacement(BITSTAMP, span(-2, 0), candles({}), EMPTY)])
    settle_merge(ledger, ONE)

    assert merging_of(ledger).former == ((TWO.basis, span(-10, 0)),)
    assert ledger.record(MERGED).covered == span(-10, -2)


def test_flipping_between_two_configurations_keeps_what_each_made(ledger: Ledger) -> None:
    def fetch(first: int, last: int) -> None:
        keep_flat(ledger, KRAKEN, first, last)
        keep_flat(ledger, BITSTAMP, first, last, 20.0)

    extremes = Ticker(
        MERGED,
        replace(TWO.basis, rules=replace(TWO.basis.rules, high_low=HighLow.EXTREMES)),
    )
    for number, ticker in enumerate((TWO, extremes, TWO, extremes)):
        told(ledger, ticker)
        fetch(5 * number, 5 * number + 5)
        settle_merge(ledger, ticker)

    merging = merging_of(ledger)
    assert merging.basis == extremes.basis
    assert merging.former == ((TWO.basis, spans((0, 5), (10, 15))),)
    candles = ledger.store.read_candles(MERGED, span(0, 20).intervals[0])
    assert candles["high"].to_list() == ([16.0] * 5 + [21.0] * 5) * 2
    assert ledger.record(MERGED).covered == span(0, 20)


def test_an_added_source_of_the_same_rules_is_merged_into_the_minutes_it_covers(
    ledger: Ledger,
) -> None:
    rules = TWO.basis.rules
    only_kraken = Ticker(MERGED, MergeBasis(replace(rules, min_exchanges=1), (KRAKEN,)))
    both = Ticker(MERGED, MergeBasis(replace(rules, min_exchanges=1), (KRAKEN, BITSTAMP)))
    keep_flat(ledger, KRAKEN, 0, 5)
    settle_merge(ledger, only_kraken)
    known = Exports({"/data": {}}, (2, 8))
    ledger.update({MERGED: replace(ledger.record(MERGED), exports=known)})
    keep_flat(ledger, BITSTAMP, 3, 7, 20.0)

    assert told(ledger, both) == []
    assert ledger.record(MERGED).covered == span(0, 3)
    assert ledger.record(MERGED).exports.backlog == {"/data": {Month(2024, 3): ms(3)}}
    settle_merge(ledger, both)

    assert merging_of(ledger) == Merging(both.basis)
    assert merged_rows(ledger)[2] == (10.0, "kraken")
    assert merged_rows(ledger)[3] == (15.0, "kraken,bitstamp")
    assert merged_rows(ledger)[6] == (20.0, "bitstamp")


def test_an_added_source_leaves_what_former_rules_made(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 5)
    settle_merge(ledger, ticker_of(KRAKEN))
    rules = replace(TWO.basis.rules, min_exchanges=1)
    told(ledger, Ticker(MERGED, MergeBasis(rules, (KRAKEN,))))
    keep_flat(ledger, BITSTAMP, 0, 7, 20.0)

    settle_merge(ledger, Ticker(MERGED, MergeBasis(rules, (KRAKEN, BITSTAMP))))

    assert merged_rows(ledger)[0] == (10.0, "kraken")
    assert merged_rows(ledger)[6] == (20.0, "bitstamp")


def test_covered_minutes_of_unknown_making_are_merged_anew_and_exported(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 5)
    known = Exports({"/data": {}}, (2, 8))
    ledger.update({MERGED: replace(SeriesRecord(exports=known), merging=Merging(ONE.basis))})
    settle_merge(ledger, ONE)
    ledger.update({MERGED: replace(ledger.record(MERGED), merging=None, exports=known)})

    told(ledger, ONE)

    assert ledger.record(MERGED).covered == EMPTY
    assert ledger.record(MERGED).exports.backlog == {"/data": {Month(2024, 3): ms(0)}}


SPANS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=2).map(
    lambda pairs: spans(*pairs)
)
TICKERS = [ONE, TWO, ticker_of(KRAKEN), ticker_of(KRAKEN, BITSTAMP, BINANCEUS, minimum=2)]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(TICKERS), SPANS, SPANS), min_size=1, max_size=5),
)
def test_whatever_bases_follow_each_other_nothing_covered_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory,
    runs: list[tuple[Ticker, IntervalSet, IntervalSet]],
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("basis") / "candles.sqlite")
    covered = EMPTY
    for ticker, kraken, bitstamp in runs:
        ledger = Ledger(store)
        told(ledger, ticker)
        keep(ledger, KRAKEN, kraken, {})
        keep(ledger, BITSTAMP, bitstamp, {})
        settle_merge(ledger, ticker)

        record = ledger.record(MERGED)
        assert not covered - record.covered
        covered = record.covered
        assert record.merging is not None
        assert record.merging.basis == ticker.basis
        assert not record.merging.formerly_made - covered
    store.close()


RULES = MergeRules(("kraken", "bitstamp"), 1, quote_aliases=(("USD", "USDT"), ("USD", "USDC")))
KRAKEN_TETHER = Series("kraken", TETHER, MINUTE)


def test_the_market_that_is_listed_now_serves_first() -> None:
    basis = choose_basis(
        BITCOIN,
        MINUTE,
        RULES,
        {"kraken": TETHER},
        MergeBasis(RULES, (KRAKEN, BITSTAMP)),
        {KRAKEN, KRAKEN_TETHER, BITSTAMP},
    )

    assert basis == MergeBasis(RULES, (KRAKEN_TETHER, BITSTAMP))


def test_an_exchange_that_could_not_be_asked_counts_as_one_that_may_have_it() -> None:
    arguments = (BITCOIN, MINUTE, RULES, {"kraken": BITCOIN}, None, {KRAKEN})

    assert choose_basis(*arguments, unknown=("bitstamp",)).sources == (KRAKEN, BITSTAMP)
    assert choose_basis(*arguments).sources == (KRAKEN,)


def test_what_cannot_be_asked_is_what_it_was_and_else_the_best_that_is_stored() -> None:
    remembered = MergeBasis(RULES, (KRAKEN_TETHER,))
    stored = {KRAKEN, KRAKEN_TETHER, Series("bitstamp", TETHER, MINUTE)}

    def chosen(before: MergeBasis | None, rules: MergeRules = RULES) -> tuple[Series, ...]:
        return choose_basis(BITCOIN, MINUTE, rules, {}, before, stored).sources

    assert chosen(remembered) == (KRAKEN_TETHER, Series("bitstamp", TETHER, MINUTE))
    assert chosen(None) == (KRAKEN, Series("bitstamp", TETHER, MINUTE))
    assert chosen(remembered, replace(RULES, quote_aliases=())) == (KRAKEN,)


def test_merge_and_ingest_choose_the_same_series_after_a_market_was_delisted(
    ledger: Ledger,
) -> None:
    def choose(listed: dict[str, Symbol]) -> MergeBasis:
        records = ledger.records
        return choose_basis(
            BITCOIN, MINUTE, RULES, listed, basis_of(records, MERGED), records.keys()
        )

    keep_flat(ledger, KRAKEN, 0, 5, 10.0)
    settle_merge(ledger, Ticker(MERGED, choose({"kraken": BITCOIN})))
    # Kraken delists BTC/USD; from here on BTC/USDT stands in for it.
    now = Ticker(MERGED, choose({"kraken": TETHER}))
    assert told(ledger, now) == ["kraken: BTC/USD -> BTC/USDT"]
    keep_flat(ledger, KRAKEN_TETHER, 3, 9, 11.0)
    settle_merge(ledger, now)
    ingested = merged_rows(ledger)

    assert choose({}) == choose({"kraken": TETHER}) == now.basis
    settle_merge(ledger, Ticker(MERGED, choose({})))
    assert merged_rows(ledger) == ingested
    settle_merge(ledger, Ticker(MERGED, choose({})), everything=True)
    settle_merge(ledger, now)
    assert {minute: price for minute, (price, _) in merged_rows(ledger).items()} == (
        dict.fromkeys(range(3, 9), 11.0)
    )


def test_a_ticker_names_what_stands_in() -> None:
    ticker = Ticker(MERGED, MergeBasis(RULES, (KRAKEN_TETHER, BITSTAMP)))

    assert ticker.stand_ins == {"kraken": TETHER}
    assert ticker.symbol == BITCOIN
