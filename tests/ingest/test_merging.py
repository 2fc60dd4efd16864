"""Rules M2, M9 and M10 on the real SQLite store. Times are minutes after START_MS."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from candle_ingestor.ingest import merging
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.merging import (
    MergeCounts,
    adopt_rules,
    merge_again,
    merge_piece,
    unmerged_pieces,
)
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.merge.rules import HighLow, MergeRules
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.sqlite import SqliteStore
from candle_ingestor.symbols.requests import SymbolRequest

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
EXCHANGES = ("kraken", "bitstamp", "binanceus")
SOURCES = tuple(Series(exchange, BITCOIN, Timeframe(1)) for exchange in EXCHANGES)
KRAKEN, BITSTAMP, BINANCEUS = SOURCES
MERGED = Series.merged(BITCOIN, Timeframe(1))
TICKER = Ticker(SymbolRequest(BITCOIN), MERGED, SOURCES, {})
TWO = MergeRules(EXCHANGES, 2)
THREE = replace(TWO, min_exchanges=3)
REFETCH_MS = 2 * MINUTE_MS


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def candles(prices: Mapping[int, float]) -> pl.DataFrame:
    rows = [(ms(m), p, p + 1, p - 1, p, 2.0) for m, p in sorted(prices.items())]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = SqliteStore(tmp_path / "candles.sqlite")
    yield ledger_of(store)
    store.close()


def ledger_of(store: SqliteStore) -> Ledger:
    return Ledger(store, dict.fromkeys(SOURCES, (MERGED,)))


def keep(ledger: Ledger, source: Series, first: int, last: int, price: float) -> None:
    ledger.keep_page(source, candles(dict.fromkeys(range(first, last), price)), span(first, last))


def rows(ledger: Ledger) -> dict[int, tuple[float, str]]:
    """Open and source exchanges of each merged minute."""
    frame = ledger.store.read_candles(MERGED, Interval(0, 2**60))
    return {
        (row["open_time_ms"] - START_MS) // MINUTE_MS: (row["open"], row["source_exchanges"])
        for row in frame.iter_rows(named=True)
    }


def merge(
    ledger: Ledger, rules: MergeRules, *, awaited: IntervalSet = EMPTY, ticker: Ticker = TICKER
) -> MergeCounts:
    counts = MergeCounts()
    for piece in unmerged_pieces(ledger, ticker, rules.min_exchanges, awaited):
        merge_piece(ledger, ticker, rules, piece, counts)
    return counts


def forget_export(ledger: Ledger) -> None:
    ledger.update(MERGED, replace(ledger.record(MERGED), unexported=EMPTY))


def test_minutes_that_enough_exchanges_cover_are_merged(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 4, 10.0)
    keep(ledger, BITSTAMP, 1, 5, 20.0)
    ledger.keep_page(BINANCEUS, candles({}), span(2, 3))

    counts = merge(ledger, TWO)

    both = (15.0, "kraken,bitstamp")
    assert rows(ledger) == {1: both, 2: both, 3: both}
    assert ledger.record(MERGED).covered == span(1, 4)
    assert ledger.record(MERGED).unexported == span(1, 4)
    assert counts.candles == 3


def test_a_minute_without_any_candle_is_covered_and_has_no_row(ledger: Ledger) -> None:
    for source in (KRAKEN, BITSTAMP):
        ledger.keep_page(source, candles({0: 10.0}), span(0, 3))

    merge(ledger, TWO)

    assert list(rows(ledger)) == [0]
    assert ledger.record(MERGED).covered == span(0, 3)


def test_minutes_still_awaited_are_left_for_later(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 4, 10.0)
    keep(ledger, BITSTAMP, 0, 4, 20.0)

    merge(ledger, TWO, awaited=span(1, 3))
    assert ledger.record(MERGED).covered == span(0, 1) | span(3, 4)

    merge(ledger, TWO)
    assert ledger.record(MERGED).covered == span(0, 4)


def test_merging_again_what_is_merged_does_nothing(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 4, 10.0)
    keep(ledger, BITSTAMP, 0, 4, 20.0)
    merge(ledger, TWO)
    forget_export(ledger)

    assert merge(ledger, TWO).candles == 0
    assert ledger.record(MERGED).unexported == EMPTY


def test_long_intervals_are_merged_in_pieces_to_the_same_result(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ledger, KRAKEN, 0, 7, 10.0)
    keep(ledger, BITSTAMP, 0, 7, 20.0)
    monkeypatch.setattr(merging, "CANDLES_PER_PIECE", 3)

    pieces = unmerged_pieces(ledger, TICKER, 2)
    merge(ledger, TWO)

    assert pieces == [(ms(0), ms(3)), (ms(3), ms(6)), (ms(6), ms(7))]
    assert list(rows(ledger)) == [0, 1, 2, 3, 4, 5, 6]
    assert ledger.record(MERGED).covered == span(0, 7)


def test_what_is_left_out_and_what_disagrees_is_counted(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 2, 100.0)
    keep(ledger, BITSTAMP, 0, 2, 100.0)
    ledger.keep_page(BINANCEUS, candles({0: 200.0}), span(0, 2))

    counts = merge(ledger, THREE)

    assert counts.excluded == {"binanceus": 1}
    assert rows(ledger)[0] == (100.0, "kraken,bitstamp")


def test_a_row_is_removed_when_no_exchange_has_a_candle_there_any_more(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 2, 10.0)
    ledger.keep_page(BITSTAMP, candles({}), span(0, 2))
    merge(ledger, TWO)
    forget_export(ledger)
    assert list(rows(ledger)) == [0, 1]

    ledger.keep_page(KRAKEN, candles({0: 10.0}), span(0, 2))
    merge(ledger, TWO)

    assert list(rows(ledger)) == [0]
    assert ledger.record(MERGED).covered == span(0, 2)
    assert ledger.record(MERGED).unexported == span(1, 2)


def test_what_the_store_has_of_an_exchange_that_cannot_be_asked_is_merged(
    ledger: Ledger,
) -> None:
    for source, price in zip(SOURCES, (100.0, 101.0, 102.0), strict=True):
        keep(ledger, source, 0, 2, price)
    merge(ledger, THREE)
    without_binanceus = replace(TICKER, sources=SOURCES[:2])
    stored = set(ledger.store.list_series())

    ticker = without_binanceus.with_stored(EXCHANGES, (), stored)
    ledger.keep_page(KRAKEN, candles({0: 100.0, 1: 103.0}), span(0, 2))
    merge(ledger, THREE, ticker=ticker)

    assert ticker.only_stored == (BINANCEUS,)
    assert rows(ledger)[1] == (102.0, "kraken,bitstamp,binanceus")


def test_a_stored_stand_in_serves_where_the_symbol_itself_is_not_stored() -> None:
    stand_in = Series("kraken", Symbol("BTC", "USDT"), Timeframe(1))
    ticker = replace(TICKER, sources=(BITSTAMP,))

    found = ticker.with_stored(EXCHANGES, (("USD", "USDT"),), {stand_in, MERGED})
    assert found.only_stored == (stand_in,)
    assert ticker.with_stored(EXCHANGES, (), {stand_in}).only_stored == ()
    both = ticker.with_stored(EXCHANGES, (("USD", "USDT"),), {stand_in, KRAKEN, BITSTAMP})
    assert both.only_stored == (KRAKEN,)


def test_a_new_series_takes_its_rules_without_a_word(ledger: Ledger) -> None:
    assert adopt_rules(ledger, TICKER, TWO, REFETCH_MS) == []
    assert ledger.record(MERGED).merge_rules == TWO.to_json()
    assert adopt_rules(ledger, TICKER, TWO, REFETCH_MS) == []


def test_other_rules_are_told_and_hold_from_the_newest_candles_on(ledger: Ledger) -> None:
    adopt_rules(ledger, TICKER, TWO, REFETCH_MS)
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 0, 6, 20.0)
    merge(ledger, TWO)
    forget_export(ledger)
    extremes = replace(TWO, high_low=HighLow.EXTREMES)

    changes = adopt_rules(ledger, TICKER, extremes, REFETCH_MS)
    merge(ledger, extremes)

    assert changes == ["high_low: weighted -> extremes"]
    record = ledger.record(MERGED)
    assert record.former_rules == span(0, 4)
    assert record.covered == span(0, 6)
    assert record.unexported == span(4, 6)
    highs = ledger.store.read_candles(MERGED, Interval(0, 2**60))["high"].to_list()
    assert highs == [16.0, 16.0, 16.0, 16.0, 21.0, 21.0]
    assert adopt_rules(ledger, TICKER, extremes, REFETCH_MS) == []


def test_a_higher_minimum_takes_the_newest_minutes_that_lack_it_out(ledger: Ledger) -> None:
    adopt_rules(ledger, TICKER, TWO, REFETCH_MS)
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 0, 6, 20.0)
    merge(ledger, TWO)

    assert adopt_rules(ledger, TICKER, THREE, REFETCH_MS) == ["min_exchanges: 2 -> 3"]
    merge(ledger, THREE)

    assert ledger.record(MERGED).covered == span(0, 4)


def test_merging_the_past_again_brings_it_in_line_with_other_rules(ledger: Ledger) -> None:
    adopt_rules(ledger, TICKER, TWO, REFETCH_MS)
    keep(ledger, KRAKEN, 0, 6, 100.0)
    keep(ledger, BITSTAMP, 0, 6, 102.0)
    keep(ledger, BINANCEUS, 2, 4, 101.0)
    merge(ledger, TWO)
    extremes = replace(TWO, high_low=HighLow.EXTREMES)
    adopt_rules(ledger, TICKER, extremes, REFETCH_MS)
    forget_export(ledger)

    merge_again(ledger, TICKER, extremes, MergeCounts())

    record = ledger.record(MERGED)
    assert record.former_rules == EMPTY
    assert record.merge_rules == extremes.to_json()
    assert record.covered == span(0, 6)
    assert record.unexported == span(0, 6)
    frame = ledger.store.read_candles(MERGED, Interval(0, 2**60))
    assert frame["high"].to_list() == [103.0] * 6
    assert [row[1] for row in rows(ledger).values()][1:3] == [
        "kraken,bitstamp",
        "kraken,bitstamp,binanceus",
    ]


def test_merging_again_by_a_higher_minimum_removes_what_falls_below_it(ledger: Ledger) -> None:
    adopt_rules(ledger, TICKER, TWO, REFETCH_MS)
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 0, 6, 20.0)
    keep(ledger, BINANCEUS, 2, 4, 15.0)
    merge(ledger, TWO)
    forget_export(ledger)

    merge_again(ledger, TICKER, THREE, MergeCounts())

    assert list(rows(ledger)) == [2, 3]
    assert ledger.record(MERGED).covered == span(2, 4)
    assert ledger.record(MERGED).unexported == span(0, 2) | span(4, 6)
    assert ledger.record(MERGED).merge_rules == THREE.to_json()


def test_merging_again_by_a_lower_minimum_fills_what_was_below_it(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 2, 4, 20.0)
    merge(ledger, TWO)

    merge_again(ledger, TICKER, replace(TWO, min_exchanges=1), MergeCounts())

    assert list(rows(ledger)) == [0, 1, 2, 3, 4, 5]
    assert ledger.record(MERGED).covered == span(0, 6)


def test_rows_that_a_killed_run_left_outside_of_coverage_are_removed(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 0, 6, 20.0)
    keep(ledger, BINANCEUS, 2, 4, 15.0)
    merge(ledger, TWO)
    # Killed after its coverage was taken back, before its rows were.
    ledger.update(MERGED, replace(ledger.record(MERGED), covered=span(2, 4)))

    merge_again(ledger, TICKER, THREE, MergeCounts())

    assert list(rows(ledger)) == [2, 3]


def test_merging_again_by_the_same_rules_changes_nothing(ledger: Ledger) -> None:
    adopt_rules(ledger, TICKER, TWO, REFETCH_MS)
    keep(ledger, KRAKEN, 0, 6, 10.0)
    keep(ledger, BITSTAMP, 0, 5, 20.0)
    merge(ledger, TWO)
    forget_export(ledger)
    before = ledger.record(MERGED)

    counts = MergeCounts()
    merge_again(ledger, TICKER, TWO, counts)

    assert counts.candles == 0
    assert ledger.record(MERGED) == before


def test_a_ticker_of_which_nothing_is_known_merges_to_nothing(ledger: Ledger) -> None:
    merge(ledger, TWO)
    merge_again(ledger, TICKER, TWO, MergeCounts())

    assert rows(ledger) == {}
    assert ledger.record(MERGED).covered == EMPTY
