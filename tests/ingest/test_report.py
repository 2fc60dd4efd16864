import json

from candle_ingestor.ingest.merging import MergeCounts
from candle_ingestor.ingest.pager import PageCounts
from candle_ingestor.ingest.report import (
    MOST_GAPS_LISTED,
    RunReport,
    RunStatus,
    SourceReport,
    TickerReport,
    candles_by_reason,
)
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval

STARTED_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def gap(first: int, last: int, reason: GapReason = GapReason.FETCH_FAILED) -> Gap:
    return Gap(Interval(STARTED_MS + first * MINUTE_MS, STARTED_MS + last * MINUTE_MS), reason)


def ticker_report() -> TickerReport:
    counts = PageCounts(requests=7, retries=2, seconds=1.23456, rejected=3)
    source = SourceReport(
        "kraken", "BTC/USDT", counts, candles=100, revised=1, failed_pages=1, gaps=[gap(0, 5)]
    )
    merged = MergeCounts(candles=90, disagreements=4)
    merged.excluded["kraken"] = 6
    return TickerReport(
        "BTC/USD",
        [source],
        {"kraken": "BTC/USDT"},
        merged,
        gaps=[gap(0, 5), gap(5, 6, GapReason.BELOW_MINIMUM), gap(9, 11)],
        covered_candles=92,
        wanted_candles=100,
    )


def run_report(*tickers: TickerReport) -> RunReport:
    report = RunReport("run", STARTED_MS, ("kraken",), 1, "1m", MINUTE_MS, list(tickers))
    report.finished_ms = STARTED_MS + 1500
    return report


def test_the_report_tells_every_figure_of_a_ticker_and_its_exchanges() -> None:
    told = json.loads(json.dumps(run_report(ticker_report()).to_json()))

    assert told["status"] == "ok"
    assert told["started"] == "2023-11-14T22:13:20Z"
    assert told["seconds"] == 1.5
    (ticker,) = told["tickers"]
    assert ticker["merged_candles"] == 90
    assert ticker["disagreements"] == 4
    assert ticker["stand_ins"] == {"kraken": "BTC/USDT"}
    assert (ticker["covered_candles"], ticker["wanted_candles"]) == (92, 100)
    assert ticker["gap_candles"] == {"fetch_failed": 7, "below_minimum": 1}
    assert ticker["gaps"][1] == {
        "start": "2023-11-14T22:18:20Z",
        "end": "2023-11-14T22:19:20Z",
        "reason": "below_minimum",
    }
    kraken = ticker["exchanges"]["kraken"]
    assert kraken["symbol"] == "BTC/USDT"
    assert {k: kraken[k] for k in ("requests", "retries", "rejected", "excluded", "candles")} == {
        "requests": 7,
        "retries": 2,
        "rejected": 3,
        "excluded": 6,
        "candles": 100,
    }
    assert kraken["seconds"] == 1.235
    assert kraken["failed_pages"] == kraken["revised"] == 1


def test_of_many_gaps_all_are_counted_and_the_first_are_listed() -> None:
    ticker = ticker_report()
    ticker.gaps = [gap(2 * number, 2 * number + 1) for number in range(MOST_GAPS_LISTED + 5)]

    told = run_report(ticker).to_json()["tickers"][0]

    assert len(told["gaps"]) == MOST_GAPS_LISTED
    assert told["gaps_not_listed"] == 5
    assert told["gap_candles"] == {"fetch_failed": MOST_GAPS_LISTED + 5}


def test_candles_are_counted_by_reason_in_their_own_length() -> None:
    assert candles_by_reason([gap(0, 10), gap(10, 20)], 5 * MINUTE_MS) == {"fetch_failed": 4}
    assert candles_by_reason([], MINUTE_MS) == {}


def test_a_run_with_a_failed_ticker_or_an_error_has_failed_however_it_ended() -> None:
    report = run_report(ticker_report())
    assert report.status is RunStatus.OK
    report.stop_reason = "time limit"
    assert report.status is RunStatus.STOPPED
    report.tickers[0].fail("kraken answered 500")
    assert report.status is RunStatus.FAILED
    assert run_report().status is RunStatus.OK
    broken = run_report()
    broken.error = "the store is down"
    assert broken.status is RunStatus.FAILED


def test_each_failure_of_a_ticker_is_told_once() -> None:
    ticker = ticker_report()
    for message in ("one", "two", "one"):
        ticker.fail(message)

    assert ticker.errors == ["one", "two"]
    assert run_report(ticker).to_json()["tickers"][0]["status"] == "failed"
