"""Every minute is accounted for: covered, or in exactly one gap with its reason."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_ingestor.ingest.accounting import account_for, merged_reasons
from candle_ingestor.ingest.fetching import SeriesWork
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.pager import Pager
from candle_ingestor.ingest.plan import Window, plan_series
from candle_ingestor.ingest.report import SourceReport, TickerReport
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.sqlite import SqliteStore
from candle_ingestor.symbols.requests import SymbolRequest

MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN, BITSTAMP = (Series(e, BITCOIN, Timeframe(1)) for e in ("kraken", "bitstamp"))
MERGED = Series.merged(BITCOIN, Timeframe(1))
TICKER = Ticker(SymbolRequest(BITCOIN), MERGED, (KRAKEN, BITSTAMP), {})
END = 50


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(first * MINUTE_MS, last * MINUTE_MS)


def spans(*pairs: tuple[int, int]) -> IntervalSet:
    return IntervalSet((a * MINUTE_MS, b * MINUTE_MS) for a, b in pairs)


def gap(first: int, last: int, reason: GapReason) -> Gap:
    return Gap(Interval(first * MINUTE_MS, last * MINUTE_MS), reason)


def window(start: int | None = 0) -> Window:
    start_ms = None if start is None else start * MINUTE_MS
    return Window(start_ms, END * MINUTE_MS, False, 10 * MINUTE_MS, 0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(SqliteStore(tmp_path / "s.sqlite"), dict.fromkeys((KRAKEN, BITSTAMP), (MERGED,)))


def work_of(ledger: Ledger, series: Series, wished: Window, *, is_planned: bool) -> SeriesWork:
    # The pager is for fetching, which is over when the run accounts for its minutes.
    work = SeriesWork(series, wished, cast(Pager, None), SourceReport(series.exchange, "BTC/USD"))
    if is_planned:
        work.plan = plan_series(wished, ledger.record(series), series.timeframe, None)
    return work


def accounted(
    ledger: Ledger, wished: Window, *, is_planned: bool = True, ticker: Ticker = TICKER
) -> TickerReport:
    works = {s: work_of(ledger, s, wished, is_planned=is_planned) for s in ticker.sources}
    report = TickerReport("BTC/USD", [works[s].report for s in ticker.sources], {})
    account_for(ticker, ledger, works, wished, report)
    return report


def test_gaps_carry_the_reasons_of_their_exchange(ledger: Ledger) -> None:
    ledger.update(
        KRAKEN,
        CoverageRecord(
            covered=spans((20, 30), (40, 50)),
            reasons={GapReason.BEYOND_REACH: span(0, 20), GapReason.FETCH_FAILED: span(30, 35)},
        ),
    )
    ledger.update(BITSTAMP, CoverageRecord(covered=span(0, 50)))
    ledger.update(MERGED, CoverageRecord(covered=spans((20, 30), (40, 50))))

    report = accounted(ledger, window())

    assert report.sources[0].gaps == [
        gap(0, 20, GapReason.BEYOND_REACH),
        gap(30, 35, GapReason.FETCH_FAILED),
        gap(35, 40, GapReason.NOT_FETCHED),
    ]
    assert report.sources[1].gaps == []
    assert report.gaps == [
        gap(0, 20, GapReason.BELOW_MINIMUM),
        gap(30, 40, GapReason.BELOW_MINIMUM),
    ]
    assert (report.covered_candles, report.wanted_candles) == (20, 50)


def test_a_minute_that_nobody_covers_has_the_reason_that_can_be_mended_first(
    ledger: Ledger,
) -> None:
    ledger.update(
        KRAKEN,
        CoverageRecord(
            reasons={
                GapReason.BEYOND_REACH: span(0, 20),
                GapReason.REJECTED: span(20, 30),
                GapReason.NOT_LISTED_YET: span(30, 50),
            }
        ),
    )
    ledger.update(
        BITSTAMP,
        CoverageRecord(
            covered=span(45, 50),
            reasons={
                GapReason.FETCH_FAILED: span(10, 25),
                GapReason.NOT_LISTED_YET: spans((0, 10), (30, 45)),
                GapReason.BEYOND_REACH: span(25, 28),
            },
        ),
    )

    assert accounted(ledger, window()).gaps == [
        gap(0, 10, GapReason.BEYOND_REACH),
        gap(10, 25, GapReason.FETCH_FAILED),
        gap(25, 30, GapReason.REJECTED),
        gap(30, 45, GapReason.NOT_LISTED_YET),
        gap(45, 50, GapReason.BELOW_MINIMUM),
    ]


def test_coverage_of_an_exchange_that_could_not_be_asked_counts(ledger: Ledger) -> None:
    ledger.update(BITSTAMP, CoverageRecord(covered=span(0, 50)))
    ticker = replace(TICKER, sources=(KRAKEN,), only_stored=(BITSTAMP,))

    report = accounted(ledger, window(), ticker=ticker)

    assert report.gaps == [gap(0, 50, GapReason.BELOW_MINIMUM)]


def test_a_series_that_could_not_be_planned_is_accounted_for_all_the_same(ledger: Ledger) -> None:
    ledger.note_reason(KRAKEN, GapReason.FETCH_FAILED, span(0, 50))

    report = accounted(ledger, window(), is_planned=False)

    assert report.sources[0].gaps == [gap(0, 50, GapReason.FETCH_FAILED)]
    assert report.sources[1].gaps == [gap(0, 50, GapReason.NOT_FETCHED)]
    assert report.gaps == [gap(0, 50, GapReason.FETCH_FAILED)]


SPANS = st.lists(
    st.tuples(st.integers(0, END + 5), st.integers(1, 20)).map(lambda p: (p[0], sum(p))), max_size=4
).map(lambda pairs: spans(*pairs))
RECORDS = st.builds(
    lambda covered, reasons: CoverageRecord(
        covered=covered, reasons={r: s - covered for r, s in reasons.items() if s - covered}
    ),
    SPANS,
    st.dictionaries(st.sampled_from(list(GapReason)[:5]), SPANS, max_size=4),
)


def begun_ms(record: CoverageRecord) -> int:
    starts = [known.start_ms for known in (record.covered, *record.reasons.values()) if known]
    return min(starts, default=(END - 10) * MINUTE_MS)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(RECORDS, RECORDS, st.integers(1, 2), st.none() | st.integers(0, 40), st.booleans())
def test_covered_and_gaps_are_everything_wanted_and_never_both(
    tmp_path: Path,
    kraken: CoverageRecord,
    bitstamp: CoverageRecord,
    minimum: int,
    start: int | None,
    is_planned: bool,
) -> None:
    store = SqliteStore(tmp_path / "never-written.sqlite")
    ledger = Ledger(store, dict.fromkeys((KRAKEN, BITSTAMP), (MERGED,)))
    merged = covered_at_least((kraken.covered, bitstamp.covered), minimum)
    ledger._records.update(
        {KRAKEN: kraken, BITSTAMP: bitstamp, MERGED: CoverageRecord(covered=merged)}
    )
    wished = window(start)

    report = accounted(ledger, wished, is_planned=is_planned)

    for gaps, covered in (
        (report.gaps, merged),
        (report.sources[0].gaps, kraken.covered),
        (report.sources[1].gaps, bitstamp.covered),
    ):
        union = IntervalSet(each.interval for each in gaps)
        assert union.duration_ms == sum(each.interval.duration_ms for each in gaps)
        assert gaps == sorted(gaps)
        assert not union & covered
    start_ms = wished.start_ms
    if start_ms is None:
        start_ms = min(begun_ms(record) for record in (kraken, bitstamp))
    wanted = IntervalSet.of(start_ms, END * MINUTE_MS)
    gaps = IntervalSet(each.interval for each in report.gaps)
    assert gaps == wanted - merged
    assert report.wanted_candles * MINUTE_MS == wanted.duration_ms
    assert report.covered_candles * MINUTE_MS == (wanted & merged).duration_ms
    below = IntervalSet(e.interval for e in report.gaps if e.reason is GapReason.BELOW_MINIMUM)
    assert below == gaps & (kraken.covered | bitstamp.covered)


def test_a_minute_without_any_reason_was_not_fetched(ledger: Ledger) -> None:
    assert merged_reasons(TICKER, ledger, span(0, 5)) == {
        GapReason.BELOW_MINIMUM: EMPTY,
        GapReason.NOT_FETCHED: span(0, 5),
    }
