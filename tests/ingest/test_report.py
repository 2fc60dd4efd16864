"""The run report as people and machines read it (rules F3 and F4)."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from candle_ingestor.commands.ingest import exit_code_of, write_report
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.report import (
    MOST_GAPS_LISTED,
    RunReport,
    RunStatus,
    SourceReport,
    TickerReport,
    candles_by_reason,
)
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval
from candle_ingestor.settle.outcome import MergeCounts, TickerOutcome

STARTED_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def gap(first: int, last: int, reason: GapReason = GapReason.FETCH_FAILED) -> Gap:
    return Gap(Interval(STARTED_MS + first * MINUTE_MS, STARTED_MS + last * MINUTE_MS), reason)


def ticker_report(*gaps: Gap) -> TickerReport:
    counts = SourceCounts(requests=7, retries=2, seconds=1.23456, rejected=3)
    source = SourceReport(
        "kraken", "BTC/USDT", counts, candles=100, revised=1, failed_pages=1, gaps=[gap(0, 5)]
    )
    outcome = TickerOutcome(
        "BTC/USD",
        MergeCounts(candles=90, disagreements=4, excluded=Counter(kraken=6)),
        rule_changes=["min_exchanges: 1 -> 2"],
        gaps=list(gaps),
        covered_candles=92,
        wanted_candles=100,
        files_written=["/data/2023-11.csv"],
    )
    return TickerReport(outcome, [source], {"kraken": "BTC/USDT"})


def run_report(*tickers: TickerReport) -> RunReport:
    report = RunReport("run", STARTED_MS, ("kraken",), 1, "1m", MINUTE_MS, list(tickers))
    report.finished_ms = STARTED_MS + 1500
    return report


def test_the_report_as_json_has_this_shape() -> None:
    report = run_report(ticker_report(gap(0, 5), gap(5, 6, GapReason.BELOW_MINIMUM), gap(9, 11)))
    report.note_trouble("kraken", "kraken: 503")
    report.note_trouble("kraken", "kraken: 504")
    report.unavailable_exchanges = {"bitstamp": "no answer"}
    report.dropped = {"ETH/USD": ("kraken",)}
    report.rejected_symbols = ["'x' is no pair"]

    assert json.loads(json.dumps(report.to_json())) == {
        "run_id": "run",
        "status": "degraded",
        "started": "2023-11-14T22:13:20Z",
        "started_ms": STARTED_MS,
        "finished_ms": STARTED_MS + 1500,
        "seconds": 1.5,
        "stop_reason": None,
        "error": None,
        "exchanges": ["kraken"],
        "min_exchanges_required": 1,
        "timeframe": "1m",
        "unavailable_exchanges": {"bitstamp": "no answer"},
        "exchange_troubles": {"kraken": {"error": "kraken: 503", "failed_pages": 2}},
        "dropped_symbols": {"ETH/USD": ["kraken"]},
        "rejected_symbols": ["'x' is no pair"],
        "tickers": [
            {
                "symbol": "BTC/USD",
                "status": "ok",
                "errors": [],
                "stand_ins": {"kraken": "BTC/USDT"},
                "rule_changes": ["min_exchanges: 1 -> 2"],
                "merged_candles": 90,
                "covered_candles": 92,
                "wanted_candles": 100,
                "disagreements": 4,
                "gap_candles": {"fetch_failed": 7, "below_minimum": 1},
                "gaps": [
                    listed("22:13:20", "22:18:20", "fetch_failed"),
                    listed("22:18:20", "22:19:20", "below_minimum"),
                    listed("22:22:20", "22:24:20", "fetch_failed"),
                ],
                "gaps_not_listed": 0,
                "files_written": ["/data/2023-11.csv"],
                "exchanges": {
                    "kraken": {
                        "symbol": "BTC/USDT",
                        "requests": 7,
                        "candles": 100,
                        "revised": 1,
                        "rejected": 3,
                        "excluded": 6,
                        "retries": 2,
                        "failed_pages": 1,
                        "seconds": 1.235,
                        "gap_candles": {"fetch_failed": 5},
                        "gaps": [listed("22:13:20", "22:18:20", "fetch_failed")],
                        "gaps_not_listed": 0,
                    }
                },
            }
        ],
    }


def listed(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": f"2023-11-14T{start}Z", "end": f"2023-11-14T{end}Z", "reason": reason}


def test_of_many_gaps_all_are_counted_and_the_first_are_listed() -> None:
    ticker = ticker_report(*(gap(2 * n, 2 * n + 1) for n in range(MOST_GAPS_LISTED + 5)))

    told = run_report(ticker).to_json()["tickers"][0]

    assert len(told["gaps"]) == MOST_GAPS_LISTED
    assert told["gaps_not_listed"] == 5
    assert told["gap_candles"] == {"fetch_failed": MOST_GAPS_LISTED + 5}


def test_candles_are_counted_by_reason_in_their_own_length() -> None:
    assert candles_by_reason([gap(0, 10), gap(10, 20)], 5 * MINUTE_MS) == {"fetch_failed": 4}
    assert candles_by_reason([], MINUTE_MS) == {}


def config(*, fail_when_degraded: bool = False) -> Config:
    flags: dict[str, Any] = {"fail_when_degraded": fail_when_degraded}
    values = {name: FLAGS[name].default for group in GROUPS.values() for name in group} | flags
    given: Any = SimpleNamespace(**values)
    return config_from_flags(given, {})


@pytest.mark.parametrize(
    ("facts", "status", "code", "code_when_degraded_fails"),
    [
        ((), RunStatus.OK, 0, 0),
        (("trouble",), RunStatus.DEGRADED, 0, 1),
        (("stop",), RunStatus.STOPPED, 0, 0),
        (("stop", "trouble"), RunStatus.STOPPED, 0, 1),
        (("failed ticker",), RunStatus.FAILED, 1, 1),
        (("failed ticker", "stop", "trouble"), RunStatus.FAILED, 1, 1),
        (("error",), RunStatus.FAILED, 1, 1),
        (("error", "stop"), RunStatus.FAILED, 1, 1),
    ],
)
def test_the_worst_that_happened_decides_status_and_exit_code(
    facts: tuple[str, ...], status: RunStatus, code: int, code_when_degraded_fails: int
) -> None:
    report = run_report(ticker_report())
    if "trouble" in facts:
        report.note_trouble("kraken", "kraken: 503")
    if "stop" in facts:
        report.stop_reason = "time limit"
    if "failed ticker" in facts:
        report.tickers[0].outcome.fail("kraken answered 500")
    if "error" in facts:
        report.error = "the store is down"

    assert report.status is status
    assert exit_code_of(report, config()) == code
    assert exit_code_of(report, config(fail_when_degraded=True)) == code_when_degraded_fails


def test_each_failure_of_a_ticker_is_told_once() -> None:
    ticker = ticker_report()
    for message in ("one", "two", "one"):
        ticker.outcome.fail(message)

    assert ticker.errors == ["one", "two"]
    assert run_report(ticker).to_json()["tickers"][0]["status"] == "failed"


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    write_report(run_report(), tmp_path / "report.json")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigurationError, match="--run_report_path"):
        write_report(run_report(), tmp_path / "folder")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text())["status"] == "ok"
