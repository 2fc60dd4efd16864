"""Rule C3: the state that the outside world reads, derived from coverage. Times are minutes."""

from dataclasses import replace

import pytest
from minutes import BITSTAMP, KRAKEN, MERGED, MINUTE_MS, START_MS, ms, span, spans
from settling import keep, settle_merge, settling_of, ticker_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.settle.settling import Wanted
from candle_ingestor.settle.state import state_of

BACKFILL, CATCH_UP = "BTC/USD-backfill", "BTC/USD-catch_up"


def state(
    covered: IntervalSet,
    start: int | None = 0,
    *,
    not_listed_yet: IntervalSet = EMPTY,
    is_bounded: bool = False,
) -> dict[str, int]:
    start_ms = None if start is None else ms(start)
    found = state_of(MERGED, covered, not_listed_yet, start_ms, is_bounded=is_bounded)
    return {key: (time_ms - START_MS) // MINUTE_MS for key, time_ms in found.items()}


def test_backfill_stands_before_the_first_gap_and_catch_up_at_the_newest_candle() -> None:
    assert state(spans((0, 30), (40, 90))) == {BACKFILL: 29, CATCH_UP: 89}


def test_backfill_that_has_not_begun_stands_before_its_start() -> None:
    assert state(span(5, 90)) == {BACKFILL: -1, CATCH_UP: 89}


def test_backfill_goes_back_when_its_start_moves_back() -> None:
    covered = span(50, 90)

    assert state(covered, 50)[BACKFILL] == 89
    assert state(covered, 20)[BACKFILL] == 19


def test_a_start_after_all_that_is_known_is_where_backfill_stands() -> None:
    assert state(span(0, 30), 50) == {BACKFILL: 49, CATCH_UP: 29}


def test_what_was_not_listed_yet_counts_as_settled() -> None:
    assert state(span(20, 30), not_listed_yet=span(0, 20))[BACKFILL] == 29
    assert state(span(20, 30), not_listed_yet=span(0, 10))[BACKFILL] == 9
    assert state(span(20, 30), not_listed_yet=span(10, 20))[BACKFILL] == -1


def test_nothing_known_is_no_state() -> None:
    assert state(EMPTY) == {}
    assert state(EMPTY, not_listed_yet=span(0, 10)) == {}


def test_a_bounded_download_is_no_catch_up() -> None:
    assert state(span(0, 30), is_bounded=True) == {BACKFILL: 29}


def test_without_a_backfill_there_is_only_catch_up() -> None:
    assert state(span(0, 30), None) == {CATCH_UP: 29}


def test_a_start_within_a_candle_counts_from_the_next() -> None:
    found = state_of(MERGED, span(1, 30), EMPTY, ms(0) + 1, is_bounded=True)

    assert found == {BACKFILL: ms(29)}


@pytest.mark.parametrize("second_begins", [20, 25])
def test_the_state_of_a_coin_listed_late_is_written_as_far_as_it_is_settled(
    ledger: Ledger, second_begins: int
) -> None:
    ticker = ticker_of(KRAKEN, BITSTAMP, minimum=1)
    for series, begins in ((KRAKEN, 20), (BITSTAMP, second_begins)):
        keep(ledger, series, span(begins, 30), {})
        record = ledger.record(series)
        coverage = record.coverage.with_reasons({GapReason.NOT_LISTED_YET: span(0, begins)})
        ledger.update({series: replace(record, coverage=coverage)})
    settle_merge(ledger, ticker)

    settling = settling_of(ledger, ticker)
    wanted = {ticker: Wanted(Interval(ms(0), ms(30)), ms(0), False)}
    settling.account(wanted)
    settling.write_state(wanted)

    assert ledger.store.read_state("service") == {BACKFILL: ms(29), CATCH_UP: ms(29)}
    assert ledger.store.read_state("another") == {}


def test_state_that_stands_goes_back_where_nothing_is_covered_any_more(ledger: Ledger) -> None:
    ticker = ticker_of(KRAKEN, BITSTAMP, minimum=2)
    ledger.store.write_state("service", {BACKFILL: ms(29), CATCH_UP: ms(29)})
    settling = settling_of(ledger, ticker)
    wanted = {ticker: Wanted(Interval(ms(5), ms(30)), ms(5), False)}
    settling.account(wanted)

    settling.write_state(wanted)

    assert ledger.store.read_state("service") == {BACKFILL: ms(4), CATCH_UP: ms(4)}


def test_a_ticker_of_which_nothing_was_ever_known_gets_no_state(ledger: Ledger) -> None:
    ticker = ticker_of(KRAKEN, BITSTAMP, minimum=2)
    settling = settling_of(ledger, ticker)
    wanted = {ticker: Wanted(Interval(ms(5), ms(30)), ms(5), False)}
    settling.account(wanted)

    settling.write_state(wanted)

    assert ledger.store.read_state("service") == {}
