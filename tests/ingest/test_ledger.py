"""Rules C1 and C2 on the real SQLite store. Times are minutes after START_MS."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from candle_ingestor.ingest.ledger import KeptPage, Ledger
from candle_ingestor.ingest.merging import MergeCounts, merge_piece, unmerged_pieces
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.merge.rules import MergeRules
from candle_ingestor.merge.weighting import merge_candles
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.stores.sqlite import SqliteStore
from candle_ingestor.symbols.requests import SymbolRequest

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
BITSTAMP = Series("bitstamp", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
RULES = MergeRules(("kraken", "bitstamp"), 2)
TICKER = Ticker(SymbolRequest(BITCOIN), MERGED, (KRAKEN, BITSTAMP), {})

OpenLedger = Callable[[], Ledger]


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def candles(prices: Mapping[int, float]) -> pl.DataFrame:
    rows = [(ms(m), p, p + 1, p - 1, p, 2.0) for m, p in sorted(prices.items())]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def flat(minutes: Iterable[int], price: float = 10.0) -> pl.DataFrame:
    return candles(dict.fromkeys(minutes, price))


def prices(store: Store, series: Series) -> dict[int, float]:
    frame = store.read_candles(series, Interval(0, 2**60))
    return {(row[0] - START_MS) // MINUTE_MS: row[1] for row in frame.iter_rows()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "candles.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def ledger(store: SqliteStore) -> Ledger:
    return ledger_of(store)


def ledger_of(store: Store) -> Ledger:
    return Ledger(store, {KRAKEN: (MERGED,), BITSTAMP: (MERGED,)})


def merge(ledger: Ledger, rules: MergeRules = RULES) -> None:
    for piece in unmerged_pieces(ledger, TICKER, rules.min_exchanges):
        merge_piece(ledger, TICKER, rules, piece, MergeCounts())


def test_a_page_is_stored_and_covered(ledger: Ledger, store: SqliteStore) -> None:
    kept = ledger.keep_page(KRAKEN, flat([0, 1, 3]), span(0, 5))

    assert kept == KeptPage(new=3, revised=0)
    assert prices(store, KRAKEN) == {0: 10, 1: 10, 3: 10}
    assert ledger.record(KRAKEN).covered == span(0, 5)
    assert ledger.record(KRAKEN).unexported == span(0, 5)
    assert store.read_coverage([KRAKEN])[KRAKEN] == ledger.record(KRAKEN)


def test_a_candle_outside_of_what_was_answered_is_not_stored(
    ledger: Ledger, store: SqliteStore
) -> None:
    ledger.keep_page(KRAKEN, flat([0, 1, 2, 3]), span(0, 1) | span(3, 4))

    assert prices(store, KRAKEN) == {0: 10, 3: 10}


def test_an_empty_page_covers_minutes_without_trades(ledger: Ledger, store: SqliteStore) -> None:
    assert ledger.keep_page(KRAKEN, flat([]), span(0, 5)) == KeptPage(0, 0)

    assert ledger.record(KRAKEN).covered == span(0, 5)
    assert prices(store, KRAKEN) == {}


def test_the_same_page_again_writes_nothing(ledger: Ledger) -> None:
    ledger.keep_page(KRAKEN, flat([0, 1, 3]), span(0, 5))
    ledger.update(KRAKEN, replace(ledger.record(KRAKEN), unexported=EMPTY))
    quiet = Ledger(CountingStore(ledger.store, fail_at=1), {KRAKEN: (MERGED,)})

    assert quiet.keep_page(KRAKEN, flat([0, 1, 3]), span(0, 5)) == KeptPage(0, 0)
    assert quiet.record(KRAKEN).unexported == EMPTY


def test_a_revised_candle_replaces_the_former_and_unmerges_its_minute(
    ledger: Ledger, store: SqliteStore
) -> None:
    for source in (KRAKEN, BITSTAMP):
        ledger.keep_page(source, flat(range(5)), span(0, 5))
    merge(ledger)
    for series in (KRAKEN, MERGED):
        ledger.update(series, replace(ledger.record(series), unexported=EMPTY))

    kept = ledger.keep_page(KRAKEN, candles({3: 10.0, 4: 11.0, 5: 12.0}), span(3, 6))

    assert kept == KeptPage(new=1, revised=1)
    assert prices(store, KRAKEN) == {0: 10, 1: 10, 2: 10, 3: 10, 4: 11, 5: 12}
    assert ledger.record(KRAKEN).unexported == span(4, 6)
    assert ledger.record(MERGED).covered == span(0, 4)
    assert ledger.record(MERGED).unexported == span(4, 5)
    merge(ledger)
    assert ledger.record(MERGED).covered == span(0, 5)
    assert prices(store, MERGED)[4] == 10.5


def test_a_candle_that_vanished_is_removed_and_its_minute_merged_again(
    ledger: Ledger, store: SqliteStore
) -> None:
    ledger.keep_page(KRAKEN, candles({0: 10.0, 1: 20.0}), span(0, 2))
    ledger.keep_page(BITSTAMP, candles({0: 10.0, 1: 10.0}), span(0, 2))
    merge(ledger)

    kept = ledger.keep_page(KRAKEN, flat([0]), span(0, 2))

    assert kept == KeptPage(new=0, revised=1)
    assert prices(store, KRAKEN) == {0: 10}
    assert ledger.record(MERGED).covered == span(0, 1)
    merge(ledger)
    assert prices(store, MERGED) == {0: 10, 1: 10}


def test_a_late_candle_in_a_covered_minute_is_new_and_merged(
    ledger: Ledger, store: SqliteStore
) -> None:
    ledger.keep_page(KRAKEN, flat([0]), span(0, 2))
    ledger.keep_page(BITSTAMP, flat([0]), span(0, 2))
    merge(ledger)
    assert prices(store, MERGED) == {0: 10}

    assert ledger.keep_page(KRAKEN, flat([0, 1], 10.0), span(0, 2)) == KeptPage(1, 0)

    assert ledger.record(MERGED).covered == span(0, 1)
    merge(ledger)
    assert prices(store, MERGED) == {0: 10, 1: 10}


def test_growing_coverage_of_one_exchange_unmerges_what_was_merged_without_it(
    ledger: Ledger,
) -> None:
    ledger.keep_page(KRAKEN, flat([0, 1], 10.0), span(0, 2))
    merge(ledger, replace(RULES, min_exchanges=1))
    assert ledger.record(MERGED).covered == span(0, 2)

    ledger.keep_page(BITSTAMP, flat([1], 20.0), span(1, 2))

    assert ledger.record(MERGED).covered == span(0, 1)


def test_what_older_rules_merged_stays_as_it_is(ledger: Ledger) -> None:
    for source in (KRAKEN, BITSTAMP):
        ledger.keep_page(source, flat([0, 1]), span(0, 2))
    merge(ledger)
    ledger.update(MERGED, replace(ledger.record(MERGED), former_rules=span(0, 1)))

    ledger.keep_page(KRAKEN, flat([0, 1], 12.0), span(0, 2))

    assert ledger.record(MERGED).covered == span(0, 1)


def test_a_reason_is_kept_of_what_is_not_covered_and_goes_once_it_is(ledger: Ledger) -> None:
    ledger.keep_page(KRAKEN, flat([0]), span(0, 2))
    ledger.update(KRAKEN, replace(ledger.record(KRAKEN), unexported=EMPTY))

    ledger.note_reason(KRAKEN, GapReason.FETCH_FAILED, span(1, 6))

    assert ledger.record(KRAKEN).reasons == {GapReason.FETCH_FAILED: span(2, 6)}
    assert ledger.record(KRAKEN).unexported == span(2, 6)
    ledger.note_reason(KRAKEN, GapReason.REJECTED, span(3, 4))
    assert ledger.record(KRAKEN).reasons == {
        GapReason.FETCH_FAILED: span(2, 3) | span(4, 6),
        GapReason.REJECTED: span(3, 4),
    }
    ledger.keep_page(KRAKEN, flat([]), span(2, 5))
    assert ledger.record(KRAKEN).reasons == {GapReason.FETCH_FAILED: span(5, 6)}
    assert ledger.store.read_coverage([KRAKEN])[KRAKEN] == ledger.record(KRAKEN)


def test_a_reason_that_is_known_already_is_not_written_again(ledger: Ledger) -> None:
    ledger.note_reason(KRAKEN, GapReason.FETCH_FAILED, span(0, 6))
    quiet = Ledger(CountingStore(ledger.store, fail_at=1), {KRAKEN: ()})

    quiet.note_reason(KRAKEN, GapReason.FETCH_FAILED, span(2, 4))

    assert quiet.record(KRAKEN).reasons == {GapReason.FETCH_FAILED: span(0, 6)}


def test_the_last_known_candle_is_stored_covered_and_near(ledger: Ledger) -> None:
    ledger.keep_page(KRAKEN, flat([0, 1, 7]), span(0, 5) | span(7, 8))

    assert ledger.last_known_ms(KRAKEN, ms(10), 20 * MINUTE_MS) == ms(7)
    assert ledger.last_known_ms(KRAKEN, ms(7), 20 * MINUTE_MS) == ms(1)
    assert ledger.last_known_ms(KRAKEN, ms(7), 3 * MINUTE_MS) is None
    assert ledger.last_known_ms(KRAKEN, ms(0), 20 * MINUTE_MS) is None
    assert ledger.last_known_ms(BITSTAMP, ms(10), 20 * MINUTE_MS) is None


def test_a_store_that_cannot_tell_its_coverage_is_no_empty_store(store: SqliteStore) -> None:
    with pytest.raises(StoreUnavailableError):
        ledger_of(CountingStore(store, fail_reads=True))


class CountingStore:
    """A store that fails at its k-th write, before or after that took effect."""

    def __init__(
        self,
        store: Store,
        *,
        fail_at: int | None = None,
        takes_effect: bool = False,
        fail_reads: bool = False,
    ) -> None:
        self.store = store
        self.writes = 0
        self.fail_at = fail_at
        self.takes_effect = takes_effect
        self.fail_reads = fail_reads

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.store, name)
        if name.startswith("read_"):

            def read(*args: Any) -> Any:
                if self.fail_reads:
                    raise StoreUnavailableError("down")
                return call(*args)

            return read
        if name not in ("write_candles", "delete_candles", "write_coverage"):
            return call

        def write(*args: Any) -> None:
            self.writes += 1
            if self.writes == self.fail_at and not self.takes_effect:
                raise StoreUnavailableError("killed")
            call(*args)
            if self.writes == self.fail_at:
                raise StoreUnavailableError("killed")

        return write


def pages_of_a_run() -> list[tuple[Series, pl.DataFrame, IntervalSet]]:
    """Pages that grow, revise, lose and add candles of two exchanges."""
    chance = random.Random(7)
    pages = []
    for start in range(0, 12, 3):
        for source in (KRAKEN, BITSTAMP):
            minutes = [m for m in range(max(0, start - 2), start + 4) if chance.random() < 0.7]
            found = {m: 10.0 + chance.randint(0, 2) / 2 for m in minutes}
            answered = span(max(0, start - 2), start + 4)
            pages.append((source, candles(found), answered))
    return pages


def work(ledger: Ledger) -> None:
    for number, (source, found, answered) in enumerate(pages_of_a_run()):
        ledger.keep_page(source, found, answered)
        if number % 3 == 2:
            merge(ledger)
    merge(ledger)


def test_a_crash_at_any_write_leaves_no_hole_and_no_stale_minute(tmp_path: Path) -> None:
    with_no_crash = SqliteStore(tmp_path / "whole.sqlite")
    counting = CountingStore(with_no_crash)
    work(ledger_of(counting))
    writes = counting.writes
    assert writes > 20

    for fail_at in range(1, writes + 1):
        path = tmp_path / f"{fail_at}.sqlite"
        store = SqliteStore(path)
        with pytest.raises(StoreUnavailableError):
            work(ledger_of(CountingStore(store, fail_at=fail_at)))
        store.close()

        store = SqliteStore(path)
        assert_nothing_covered_was_lost(store)
        assert_nothing_merged_is_stale(store)
        work(ledger_of(store))
        for series in (KRAKEN, BITSTAMP, MERGED):
            assert prices(store, series) == prices(with_no_crash, series)
            before = with_no_crash.read_coverage([series])[series]
            assert store.read_coverage([series])[series].covered == before.covered
        store.close()
    with_no_crash.close()


def assert_nothing_covered_was_lost(store: Store) -> None:
    """Every covered minute holds what one of the pages said of it."""
    said: dict[Series, dict[int, set[float | None]]] = {KRAKEN: {}, BITSTAMP: {}}
    for source, found, answered in pages_of_a_run():
        shown = {row[0]: row[1] for row in found.iter_rows()}
        for interval in answered:
            for time in range(*interval, MINUTE_MS):
                said[source].setdefault(time, set()).add(shown.get(time))
    for source, times in said.items():
        covered = store.read_coverage([source])[source].covered
        stored = {ms(minute): price for minute, price in prices(store, source).items()}
        for time, answers in times.items():
            assert not covered.contains(time) or stored.get(time) in answers


def assert_nothing_merged_is_stale(store: Store) -> None:
    """Every merged and covered minute is what the stored exchange candles merge to."""
    everything = Interval(0, 2**60)
    records = store.read_coverage([KRAKEN, BITSTAMP, MERGED])
    covered = {s.exchange: records[s].covered for s in (KRAKEN, BITSTAMP)}
    frames = {s.exchange: store.read_candles(s, everything) for s in (KRAKEN, BITSTAMP)}
    expected = merge_candles(frames, covered, everything, Timeframe(1), RULES)
    assert not records[MERGED].covered - expected.covered
    want = {row[0]: row for row in expected.candles.iter_rows()}
    got = {row[0]: row for row in store.read_candles(MERGED, everything).iter_rows()}
    for interval in records[MERGED].covered:
        for time in range(*interval, MINUTE_MS):
            assert got.get(time) == want.get(time)


def test_a_revision_is_exported_even_if_the_run_was_killed_right_after_it(
    store: SqliteStore,
) -> None:
    ledger = ledger_of(store)
    ledger.keep_page(KRAKEN, flat([0, 1]), span(0, 2))
    ledger.update(KRAKEN, replace(ledger.record(KRAKEN), unexported=EMPTY))
    for fail_at in range(1, 10):
        killed = ledger_of(CountingStore(store, fail_at=fail_at, takes_effect=True))
        with suppress(StoreUnavailableError):
            killed.keep_page(KRAKEN, candles({0: 10.0, 1: 50.0}), span(0, 2))
        if prices(store, KRAKEN)[1] == 50.0:
            break

    again = ledger_of(store)
    again.keep_page(KRAKEN, candles({0: 10.0, 1: 50.0}), span(0, 2))
    assert again.record(KRAKEN).unexported == span(1, 2)
