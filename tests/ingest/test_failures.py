"""Rule F3: when a symbol has failed, and when it has not."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from minutes import BINANCEUS, BITSTAMP, KRAKEN, MINUTE, ms, span
from scripted_source import ScriptedSource
from settling import keep, settle_merge, ticker_of

from candle_ingestor.ingest.failures import failed_minutes
from candle_ingestor.ingest.plan import Window, plan_series
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN
from candle_ingestor.settle.accounting import account_for
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.sqlite.store import SqliteStore

SOURCES = (KRAKEN, BITSTAMP, BINANCEUS)
WANTED = span(0, 10)


@dataclass(frozen=True)
class Case:
    """What became of ten minutes on three exchanges; what is neither is left for later."""

    minimum: int
    covered: tuple[IntervalSet, IntervalSet, IntervalSet]
    failed: tuple[IntervalSet, IntervalSet, IntervalSet]
    expected: IntervalSet
    unknown: tuple[str, ...] = ()
    is_merged: bool = True


CASES = {
    "all there": Case(3, (WANTED, WANTED, WANTED), (EMPTY, EMPTY, EMPTY), EMPTY),
    "one refused, the others suffice": Case(
        2, (EMPTY, WANTED, WANTED), (WANTED, EMPTY, EMPTY), EMPTY
    ),
    "one refused and is needed": Case(3, (EMPTY, WANTED, WANTED), (WANTED, EMPTY, EMPTY), WANTED),
    "one failed page that is needed": Case(
        3, (WANTED - span(2, 4), WANTED, WANTED), (span(2, 4), EMPTY, EMPTY), span(2, 4)
    ),
    "no time": Case(3, (span(0, 3), WANTED, span(0, 5)), (EMPTY, EMPTY, EMPTY), EMPTY),
    "one refused, another had no time": Case(
        3, (EMPTY, WANTED, EMPTY), (WANTED, EMPTY, EMPTY), EMPTY
    ),
    "all refused": Case(1, (EMPTY, EMPTY, EMPTY), (WANTED, WANTED, WANTED), WANTED),
    "no time to merge": Case(
        2, (WANTED, WANTED, WANTED), (EMPTY, EMPTY, EMPTY), EMPTY, is_merged=False
    ),
    "no time to merge, and one refused": Case(
        2, (EMPTY, WANTED, WANTED), (WANTED, EMPTY, EMPTY), EMPTY, is_merged=False
    ),
    "an unknown exchange that is not needed": Case(
        2, (EMPTY, WANTED, WANTED), (EMPTY, EMPTY, EMPTY), EMPTY, ("kraken",)
    ),
    "an unknown exchange that is needed": Case(
        3, (EMPTY, WANTED, WANTED), (EMPTY, EMPTY, EMPTY), WANTED, ("kraken",)
    ),
    "an unknown exchange whose stored candles are not all": Case(
        3, (span(0, 4), WANTED, WANTED), (EMPTY, EMPTY, EMPTY), span(4, 10), ("kraken",)
    ),
}


def work_of(series: Series) -> SeriesWork:
    window = Window(ms(0), ms(10), False, 0)
    plan = plan_series(window, NOTHING_KNOWN, MINUTE, None)
    report = SourceReport(series)
    return SeriesWork(series, ScriptedSource(series.exchange), plan, report)


@pytest.mark.parametrize("name", CASES)
def test_a_minute_failed_if_it_is_missing_only_since_an_exchange_did_not_answer(
    tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    store = SqliteStore(tmp_path / "candles.sqlite")
    ledger = Ledger(store)
    ticker: Ticker = ticker_of(*SOURCES, minimum=case.minimum)
    works = {series: work_of(series) for series in SOURCES if series.exchange not in case.unknown}
    for series, covered, failed in zip(SOURCES, case.covered, case.failed, strict=True):
        keep(ledger, series, covered, {})
        if failed:
            works[series].settle(Interval(failed.start_ms, failed.end_ms), failed)
    if case.is_merged:
        settle_merge(ledger, ticker)
    outcome = TickerOutcome("BTC/USD")
    account_for(ledger, ticker, Interval(ms(0), ms(10)), outcome)

    assert failed_minutes(ledger, ticker, outcome, works, case.unknown) == case.expected
    store.close()


def test_an_unknown_exchange_of_which_nothing_is_stored_is_missed_too(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "candles.sqlite")
    ledger = Ledger(store)
    rules_of_three = ticker_of(*SOURCES, minimum=3).basis.rules
    ticker = ticker_of(KRAKEN, BITSTAMP, minimum=2)
    ticker = Ticker(ticker.merged, type(ticker.basis)(rules_of_three, ticker.sources))
    for series in ticker.sources:
        keep(ledger, series, WANTED, {})
    settle_merge(ledger, ticker)
    outcome = TickerOutcome("BTC/USD")
    account_for(ledger, ticker, Interval(ms(0), ms(10)), outcome)

    assert failed_minutes(ledger, ticker, outcome, {}, ("binanceus",)) == WANTED
    assert failed_minutes(ledger, ticker, outcome, {}, ()) == EMPTY
    store.close()
