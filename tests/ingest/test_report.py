"""The run report for machines, and the status it ends with (rules F3 and F4)."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from candle_ingestor.commands.ingest import exit_code_of, write_report
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.session import RequestCounts
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.report import (
    RunReport,
    RunStatus,
    SourceReport,
    TickerReport,
)
from candle_ingestor.ingest.report_json import MOST_GAPS_LISTED, report_json
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.merge.deviations import MOST_TOLD, Disagreement, Exclusion
from candle_ingestor.merge.weighting import MergedCandles
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.gaps import Gap, GapReason, candles_by_reason
from candle_ingestor.model.intervals import EMPTY, Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.settle.outcome import MergeCounts, TickerOutcome, Told

STARTED_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def gap(first: int, last: int, reason: GapReason = GapReason.FETCH_FAILED) -> Gap:
    return Gap(Interval(STARTED_MS + first * MINUTE_MS, STARTED_MS + last * MINUTE_MS), reason)


def ticker_report(*gaps: Gap) -> TickerReport:
    counts = SourceCounts(requests=7, retries=2, seconds=1.23456, rejected=3)
    source = SourceReport(
        Series("kraken", Symbol("BTC", "USDT"), Timeframe(1)),
        counts,
        candles=100,
        revised=1,
        failed_pages=1,
        wanted_candles=200,
        gaps=[gap(0, 5)],
    )
    exclusion = Exclusion(STARTED_MS, "kraken", "high", 12.34567)
    disagreement = Disagreement(STARTED_MS, "low", "bitstamp", "kraken", 7.0)
    outcome = TickerOutcome(
        "BTC/USD",
        MergeCounts(
            candles=90,
            disagreements=4,
            excluded=Counter(kraken=6),
            exclusions_told={"kraken": Told([exclusion], exclusion)},
            disagreements_told=Told([disagreement], disagreement),
        ),
        rule_changes=["min_exchanges: 1 -> 2"],
        gaps=list(gaps),
        covered_candles=92,
        wanted_candles=100,
        files_written=["/data/2023-11.csv"],
        is_exported=True,
    )
    return TickerReport(outcome, [source], {"kraken": "BTC/USDT"})


def run_report(*tickers: TickerReport) -> RunReport:
    report = RunReport("run", STARTED_MS, ("kraken",), 1, "1m", MINUTE_MS, list(tickers))
    report.finished_ms = STARTED_MS + 1500
    report.max_price_deviation_pct = 5.0
    report.symbols_wanted = 3
    report.is_export_wanted = True
    report.asked = {"kraken": RequestCounts(requests=8, retries=3, seconds=1.00049)}
    return report


def test_the_report_as_json_has_this_shape() -> None:
    report = run_report(ticker_report(gap(0, 5), gap(5, 6, GapReason.BELOW_MINIMUM), gap(9, 11)))
    report.note_trouble("kraken", "kraken: 503")
    report.note_trouble("kraken", "kraken: 504")
    report.unavailable_exchanges = {"bitstamp": "no answer"}
    report.dropped = {"ETH/USD": ("kraken",)}
    report.rejected_symbols = ["'x' is no pair"]
    exclusion = {"time": "2023-11-14T22:13:20Z", "price": "high", "off_median_pct": 12.3457}
    disagreement = {
        "time": "2023-11-14T22:13:20Z",
        "price": "low",
        "highest": "bitstamp",
        "lowest": "kraken",
        "above_pct": 7.0,
    }

    assert json.loads(json.dumps(report_json(report))) == {
        "run_id": "run",
        "service_identifier": "",
        "command": "ingest",
        "status": "degraded",
        "started": "2023-11-14T22:13:20Z",
        "started_ms": STARTED_MS,
        "finished_ms": STARTED_MS + 1500,
        "seconds": 1.5,
        "stop_reason": None,
        "error": None,
        "exchanges": ["kraken"],
        "price_only_exchanges": [],
        "min_exchanges_required": 1,
        "max_price_deviation_pct": 5.0,
        "timeframe": "1m",
        "symbols": [],
        "symbols_wanted": 3,
        "symbols_complete": 0,
        "known_candles": 195,
        "wanted_candles": 200,
        "unavailable_exchanges": {"bitstamp": "no answer"},
        "exchange_troubles": {"kraken": {"error": "kraken: 503", "failed_pages": 2}},
        "exchange_totals": {
            "kraken": {
                "requests": 8,
                "candles": 100,
                "revised": 1,
                "rejected": 3,
                "retries": 3,
                "failed_pages": 1,
                "seconds": 1.0,
            }
        },
        "dropped_symbols": {"ETH/USD": ["kraken"]},
        "rejected_symbols": ["'x' is no pair"],
        "downloads": [],
        "tickers": [
            {
                "symbol": "BTC/USD",
                "status": "ok",
                "complete": False,
                "errors": [],
                "stand_ins": {"kraken": "BTC/USDT"},
                "rule_changes": ["min_exchanges: 1 -> 2"],
                "merged_candles": 90,
                "covered_candles": 92,
                "wanted_candles": 100,
                "disagreements": 4,
                "disagreement_minutes": [disagreement],
                "worst_disagreement": disagreement,
                "gap_candles": {"fetch_failed": 7, "below_minimum": 1},
                "gaps": [
                    listed("22:13:20", "22:18:20", "fetch_failed"),
                    listed("22:18:20", "22:19:20", "below_minimum"),
                    listed("22:22:20", "22:24:20", "fetch_failed"),
                ],
                "gaps_not_listed": 0,
                "exported": True,
                "files_written": ["/data/2023-11.csv"],
                "exchanges": {
                    "kraken": {
                        "symbol": "BTC/USDT",
                        "wanted_candles": 200,
                        "requests": 7,
                        "candles": 100,
                        "revised": 1,
                        "rejected": 3,
                        "excluded": 6,
                        "excluded_minutes": [exclusion],
                        "worst_excluded": exclusion,
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


def test_what_is_beyond_reach_names_the_file_that_has_it() -> None:
    ticker = ticker_report()
    ticker.sources[0].gaps = [
        gap(0, 5, GapReason.BEYOND_REACH),
        gap(6, 7),
        gap(8, 9, GapReason.BEYOND_REACH),
    ]

    told = report_json(run_report(ticker))

    file = "XBTUSDT_1.csv of Kraken_OHLCVT_Q4_2023.zip"
    gaps = told["tickers"][0]["exchanges"]["kraken"]["gaps"]
    assert [each.get("files") for each in gaps] == [[file], None, [file]]
    assert told["downloads"] == [
        {
            "exchange": "kraken",
            "symbol": "BTC/USDT",
            "timeframe": "1m",
            "file": "XBTUSDT_1.csv",
            "archive": "Kraken_OHLCVT_Q4_2023.zip",
            "page": "https://support.kraken.com/articles/360047124832",
            "start": "2023-11-14T22:13:20Z",
            "end": "2023-11-14T22:22:20Z",
            "candles": 6,
            "published_from": "2024-01-01T00:00:00Z",
        }
    ]


def listed(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": f"2023-11-14T{start}Z", "end": f"2023-11-14T{end}Z", "reason": reason}


def test_of_many_gaps_all_are_counted_and_the_first_are_listed() -> None:
    ticker = ticker_report(*(gap(2 * n, 2 * n + 1) for n in range(MOST_GAPS_LISTED + 5)))

    told = report_json(run_report(ticker))["tickers"][0]

    assert len(told["gaps"]) == MOST_GAPS_LISTED
    assert told["gaps_not_listed"] == 5
    assert told["gap_candles"] == {"fetch_failed": MOST_GAPS_LISTED + 5}


def test_of_many_deviations_all_are_counted_and_the_first_and_the_worst_are_kept() -> None:
    counts = MergeCounts()
    # The newest minutes are merged before the history.
    for start in (2 * MOST_TOLD, 0):
        minutes = range(start, start + 2 * MOST_TOLD)
        exclusions = [Exclusion(n, "kraken", "high", 10.0) for n in minutes]
        disagreements = [Disagreement(n, "low", "kraken", "bitstamp", n + 10.0) for n in minutes]
        exclusions.append(Exclusion(start + 7, "kraken", "low", -20.0 - start))
        nothing = pl.DataFrame(schema=MERGED_CANDLES)
        counts.note(
            MergedCandles(
                nothing,
                EMPTY,
                {"kraken": 41},
                40,
                exclusions_told=exclusions,
                disagreements_told=disagreements,
            )
        )

    assert (counts.excluded, counts.disagreements) == ({"kraken": 82}, 80)
    kraken = counts.exclusions_told["kraken"]
    assert [each.open_time_ms for each in kraken.first] == sorted([*range(MOST_TOLD - 1), 7])
    assert kraken.worst == Exclusion(2 * MOST_TOLD + 7, "kraken", "low", -60.0)
    disagreeing = counts.disagreements_told
    assert [each.open_time_ms for each in disagreeing.first] == list(range(MOST_TOLD))
    assert disagreeing.worst is not None
    assert disagreeing.worst.open_time_ms == 4 * MOST_TOLD - 1


def test_candles_are_counted_by_reason_in_their_own_length() -> None:
    assert candles_by_reason([gap(0, 10), gap(10, 20)], 5 * MINUTE_MS) == {"fetch_failed": 4}
    assert candles_by_reason([], MINUTE_MS) == {}


def test_a_series_that_two_tickers_share_counts_once_in_its_exchange_s_totals() -> None:
    shared = ticker_report()
    other = TickerReport(TickerOutcome("BTC/USDT"), shared.sources)

    assert run_report(shared, other).totals_of("kraken").candles == 100
    assert run_report(shared, other).known_and_wanted == (195, 200)


@pytest.mark.parametrize(
    ("change", "is_complete"),
    [
        ({}, True),
        ({"gaps": [gap(0, 5, GapReason.NOT_LISTED_YET)]}, True),
        ({"gaps": [gap(0, 5, GapReason.BEYOND_REACH)]}, False),
        ({"errors": ["kraken: 503"]}, False),
        ({"is_exported": False}, False),
    ],
)
def test_a_ticker_is_complete_when_nothing_of_it_is_missing_or_left(
    change: dict[str, Any], is_complete: bool
) -> None:
    ticker = ticker_report()
    for name, value in change.items():
        setattr(ticker.outcome, name, value)

    assert run_report(ticker).is_complete(ticker) is is_complete


def test_without_an_export_none_is_waited_for() -> None:
    ticker = ticker_report()
    ticker.outcome.is_exported = False
    report = run_report(ticker)
    report.is_export_wanted = False

    assert report.is_complete(ticker)


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
    assert report_json(run_report(ticker))["tickers"][0]["status"] == "failed"


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    write_report(run_report(), tmp_path / "report.json")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigurationError, match="--run_report_path"):
        write_report(run_report(), tmp_path / "folder")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text())["status"] == "ok"
