"""Every minute is accounted for: covered, or in exactly one gap with its reason."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import BINANCEUS, BITSTAMP, KRAKEN, MERGED, minutes_in, ms, span, spans
from settling import ticker_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    SeriesRecord,
)
from candle_ingestor.settle.accounting import (
    GONE_AFTER_MS,
    account_for,
    merged_reasons,
    source_gaps,
    unsettled,
)
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.sqlite.store import SqliteStore

TICKER = ticker_of(KRAKEN, BITSTAMP, minimum=2)
END = 50
WANTED = Interval(ms(0), ms(END))
NOW_MS = WANTED.end_ms


def gap(first: int, last: int, reason: GapReason) -> Gap:
    return Gap(Interval(ms(first), ms(last)), reason)


def know(
    ledger: Ledger,
    series: Series,
    covered: IntervalSet,
    reasons: dict[GapReason, IntervalSet] | None = None,
    provisional: IntervalSet = EMPTY,
) -> None:
    record = replace(ledger.record(series), coverage=Coverage(covered, provisional, reasons or {}))
    ledger.update({series: record})


def accounted(ledger: Ledger, ticker: Ticker = TICKER) -> TickerOutcome:
    outcome = TickerOutcome("BTC/USD")
    account_for(ledger, ticker, WANTED, outcome)
    return outcome


def test_a_source_s_gaps_carry_its_own_reasons(ledger: Ledger) -> None:
    reasons = {GapReason.BEYOND_REACH: span(0, 20), GapReason.FETCH_FAILED: span(30, 35)}
    know(ledger, KRAKEN, spans((20, 30), (40, 50)), reasons)

    assert source_gaps(ledger, KRAKEN, WANTED) == [
        gap(0, 20, GapReason.BEYOND_REACH),
        gap(30, 35, GapReason.FETCH_FAILED),
        gap(35, 40, GapReason.NOT_FETCHED),
    ]
    assert source_gaps(ledger, BITSTAMP, WANTED) == [gap(0, 50, GapReason.NOT_FETCHED)]


def test_what_too_few_can_ever_cover_is_below_the_minimum(ledger: Ledger) -> None:
    reasons = {GapReason.BEYOND_REACH: span(0, 20), GapReason.NOT_LISTED_YET: span(30, 40)}
    know(ledger, KRAKEN, spans((20, 30), (40, 50)), reasons)
    know(ledger, BITSTAMP, span(0, 50))
    know(ledger, MERGED, spans((20, 30), (40, 50)))

    outcome = accounted(ledger)

    assert outcome.gaps == [
        gap(0, 20, GapReason.BELOW_MINIMUM),
        gap(30, 40, GapReason.BELOW_MINIMUM),
    ]
    assert (outcome.covered_candles, outcome.wanted_candles) == (20, 50)


def test_what_lacks_an_exchange_that_may_yet_come_has_the_reason_why_it_did_not(
    ledger: Ledger,
) -> None:
    reasons = {GapReason.FETCH_FAILED: span(10, 20), GapReason.REJECTED: span(20, 21)}
    know(ledger, KRAKEN, span(30, 50), reasons)
    know(ledger, BITSTAMP, span(0, 50))
    know(ledger, MERGED, span(30, 40))

    assert accounted(ledger).gaps == [
        gap(0, 10, GapReason.NOT_FETCHED),
        gap(10, 20, GapReason.FETCH_FAILED),
        gap(20, 21, GapReason.REJECTED),
        gap(21, 30, GapReason.NOT_FETCHED),
        # Enough are there, and the run ended before it merged them.
        gap(40, 50, GapReason.NOT_FETCHED),
    ]


def test_what_a_delisted_market_lacks_is_not_waited_for(ledger: Ledger) -> None:
    know(ledger, KRAKEN, span(0, 50))
    know(ledger, BITSTAMP, span(0, 20))
    know(ledger, MERGED, span(0, 20))
    gone = Listing(is_delisted=True)
    ledger.update({BITSTAMP: replace(ledger.record(BITSTAMP), listing=gone)})

    assert accounted(ledger).gaps == [gap(20, 50, GapReason.BELOW_MINIMUM)]


def test_what_former_rules_made_is_explained_by_them(ledger: Ledger) -> None:
    alone = ticker_of(KRAKEN, BITSTAMP, minimum=1).basis
    merging = Merging(TICKER.basis, ((alone, span(0, 10)),))
    ledger.update({MERGED: SeriesRecord(merging=merging)})
    know(ledger, KRAKEN, span(0, 50))
    know(ledger, BITSTAMP, EMPTY, {GapReason.BEYOND_REACH: span(0, 50)})

    assert accounted(ledger).gaps == [
        gap(0, 10, GapReason.NOT_FETCHED),
        gap(10, 50, GapReason.BELOW_MINIMUM),
    ]


def test_what_nobody_covers_and_cannot_be_had_is_told_apart_from_what_can(
    ledger: Ledger,
) -> None:
    kraken = {
        GapReason.BEYOND_REACH: span(0, 20),
        GapReason.REJECTED: span(20, 30),
        GapReason.NOT_LISTED_YET: span(30, 50),
    }
    bitstamp = {
        GapReason.FETCH_FAILED: span(10, 25),
        GapReason.NOT_LISTED_YET: spans((0, 10), (30, 45)),
        GapReason.BEYOND_REACH: span(25, 28),
    }
    know(ledger, KRAKEN, EMPTY, kraken)
    know(ledger, BITSTAMP, span(45, 50), bitstamp)

    assert accounted(ledger).gaps == [
        gap(0, 10, GapReason.BEYOND_REACH),
        gap(10, 20, GapReason.BELOW_MINIMUM),
        gap(20, 25, GapReason.REJECTED),
        gap(25, 28, GapReason.BELOW_MINIMUM),
        gap(28, 30, GapReason.REJECTED),
        gap(30, 45, GapReason.NOT_LISTED_YET),
        gap(45, 50, GapReason.BELOW_MINIMUM),
    ]


def test_a_minute_without_any_reason_was_not_fetched(ledger: Ledger) -> None:
    assert merged_reasons(ledger, TICKER, span(0, 5)) == {GapReason.NOT_FETCHED: span(0, 5)}


def test_provisional_minutes_of_a_series_or_its_sources_are_unsettled(ledger: Ledger) -> None:
    ledger.update({MERGED: SeriesRecord(merging=Merging(TICKER.basis))})
    know(ledger, KRAKEN, span(0, 50), None, span(48, 50))
    know(ledger, BITSTAMP, span(0, 50), None, span(10, 12))
    know(ledger, MERGED, span(0, 50), None, span(30, 31))

    assert unsettled(ledger, KRAKEN, span(0, 49), NOW_MS) == span(48, 49)
    assert unsettled(ledger, MERGED, span(0, 49), NOW_MS) == spans((10, 12), (30, 31), (48, 49))


def test_gaps_of_a_source_are_unsettled_if_a_later_run_could_fill_them(ledger: Ledger) -> None:
    ledger.update({MERGED: SeriesRecord(merging=Merging(TICKER.basis))})
    reasons = {
        GapReason.NOT_LISTED_YET: span(0, 5),
        GapReason.BEYOND_REACH: span(5, 10),
        GapReason.FETCH_FAILED: span(10, 15),
        GapReason.REJECTED: span(15, 20),
    }
    know(ledger, KRAKEN, span(25, 50), reasons)
    know(ledger, BITSTAMP, span(0, 50))

    assert unsettled(ledger, MERGED, span(0, 50), NOW_MS) == span(10, 25)


def test_what_a_source_lacks_that_was_delisted_long_ago_is_settled(ledger: Ledger) -> None:
    ledger.update({MERGED: SeriesRecord(merging=Merging(TICKER.basis))})
    ledger.update({BITSTAMP: SeriesRecord(listing=Listing(is_delisted=True))})
    know(ledger, KRAKEN, span(0, 50))
    know(ledger, BITSTAMP, span(0, 20), None, span(18, 20))

    long_after_ms = span(0, 20).end_ms + GONE_AFTER_MS + 1
    assert unsettled(ledger, MERGED, span(0, 50), long_after_ms) == EMPTY
    # A market that is halted looks the same, and comes back.
    assert unsettled(ledger, MERGED, span(0, 50), long_after_ms - 1) == span(18, 50)


def test_former_minutes_are_unsettled_by_the_sources_that_made_them(ledger: Ledger) -> None:
    rules = TICKER.basis.rules
    former = (MergeBasis(rules, (BINANCEUS,)), span(0, 20))
    ledger.update({MERGED: SeriesRecord(merging=Merging(TICKER.basis, (former,)))})
    know(ledger, BINANCEUS, span(0, 20), None, span(19, 20))
    know(ledger, KRAKEN, span(20, 50))
    know(ledger, BITSTAMP, span(20, 50))

    assert unsettled(ledger, MERGED, span(0, 50), NOW_MS) == span(19, 20)


SPANS = st.lists(
    st.tuples(st.integers(0, END + 5), st.integers(1, 20)).map(lambda p: (p[0], sum(p))), max_size=4
).map(lambda pairs: spans(*pairs))
RECORDS = st.builds(
    lambda covered, reasons: SeriesRecord(Coverage(covered).with_reasons(reasons)),
    SPANS,
    st.dictionaries(st.sampled_from(list(GapReason)[:5]), SPANS, max_size=4),
)


@settings(max_examples=100)
@given(RECORDS, RECORDS, st.integers(1, 2))
def test_covered_and_gaps_are_everything_wanted_and_never_both(
    tmp_path_factory: pytest.TempPathFactory,
    kraken: SeriesRecord,
    bitstamp: SeriesRecord,
    minimum: int,
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("accounting") / "candles.sqlite")
    ledger = Ledger(store)
    merged = covered_at_least((kraken.covered, bitstamp.covered), minimum)
    ledger.update({KRAKEN: kraken, BITSTAMP: bitstamp, MERGED: SeriesRecord(Coverage(merged))})

    outcome = accounted(ledger, ticker_of(KRAKEN, BITSTAMP, minimum=minimum))

    for gaps, covered in (
        (outcome.gaps, merged),
        (source_gaps(ledger, KRAKEN, WANTED), kraken.covered),
        (source_gaps(ledger, BITSTAMP, WANTED), bitstamp.covered),
    ):
        union = IntervalSet(each.interval for each in gaps)
        assert union.duration_ms == sum(each.interval.duration_ms for each in gaps)
        assert union == IntervalSet((WANTED,)) - covered
        assert gaps == sorted(gaps)
    lengths = (IntervalSet((WANTED,)) & merged).duration_ms // MERGED.timeframe.duration_ms
    assert (outcome.covered_candles, outcome.wanted_candles) == (lengths, END)
    for each in outcome.gaps:
        for minute in minutes_in(IntervalSet((each.interval,))):
            assert each.reason is reason_of(minute, (kraken, bitstamp), minimum)
    store.close()


def reason_of(minute: int, records: Sequence[SeriesRecord], minimum: int) -> GapReason:
    """Why a minute is not merged, by what would have to come."""
    known = [reason_of_source(minute, record) for record in records]
    for allowed in (
        (None, GapReason.NOT_FETCHED),
        (None, GapReason.NOT_FETCHED, GapReason.FETCH_FAILED),
        (None, GapReason.NOT_FETCHED, GapReason.FETCH_FAILED, GapReason.REJECTED),
    ):
        if sum(each in allowed for each in known) >= minimum:
            return allowed[-1]
    if set(known) == {GapReason.NOT_LISTED_YET}:
        return GapReason.NOT_LISTED_YET
    if set(known) <= {GapReason.NOT_LISTED_YET, GapReason.BEYOND_REACH}:
        return GapReason.BEYOND_REACH
    return GapReason.BELOW_MINIMUM


def reason_of_source(minute: int, record: SeriesRecord) -> GapReason | None:
    if record.covered.contains(ms(minute)):
        return None
    named = (r for r, span in record.coverage.reasons.items() if span.contains(ms(minute)))
    return next(named, GapReason.NOT_FETCHED)
