"""Which runs are running, and which died."""

from typing import Any

import pytest

from candle_ingestor.completeness.runs import (
    COLUMNS,
    figures_of,
    filled_by,
    running_by_lock,
    with_interrupted,
)
from candle_ingestor.completeness.status import last_runs_of
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

MINUTE = Timeframe(1)


def run(run_id: str, status: str, service: str | None = "s") -> dict[str, Any]:
    report = {"run_id": run_id, "status": status, "started_ms": 0}
    return report if service is None else {**report, "service_identifier": service}


def service_of(report: Any) -> str:
    return str(report.get("service_identifier") or "own")


def test_only_the_newest_run_of_a_lock_may_be_running() -> None:
    runs = [
        run("5", "ok", "a"),
        run("4", "running", "b"),
        run("3", "running", "a"),
        run("2", "running", "b"),
        run("1", "running", None),
    ]

    running = running_by_lock(runs, service_of)

    assert {lock: each["run_id"] for lock, each in running.items()} == {"b": "4", "own": "1"}


def test_a_run_that_neither_ended_nor_lives_is_interrupted() -> None:
    runs = [run("3", "running"), run("2", "running"), run("1", "failed")]

    told = with_interrupted(runs, {"3"})

    assert [each["status"] for each in told] == ["running", "interrupted", "failed"]
    assert [each["status"] for each in runs] == ["running", "running", "failed"]


def test_the_figures_of_a_report_of_an_earlier_version_name_no_service() -> None:
    assert figures_of(run("1", "running", None))["service_identifier"] is None


def ended_run(status: str, **parts: Any) -> dict[str, Any]:
    ticker = {"merged_candles": 5, "gap_candles": {"fetch_failed": 7}, "files_written": ["a"]}
    totals = {"kraken": {"requests": 3, "candles": 9}}
    known = {"symbols_wanted": 2, "symbols_complete": 1, "exchange_totals": totals}
    dropped = {"dropped_symbols": {"ETH/USD": ["kraken"]}}
    return {**run("1", status), **known, **dropped, "tickers": [ticker], **parts}


DID = ("requests", "candles", "merged_candles", "candles_removed", "files_removed", "files_written")
LEFT = ("symbols_complete", "gap_candles")


def test_a_run_that_came_to_all_its_symbols_knows_what_it_did_and_left() -> None:
    figures = figures_of(ended_run("failed"))

    assert tuple(figures) == COLUMNS
    assert [figures[name] for name in (*DID, *LEFT)] == [3, 9, 5, 0, 0, 1, 1, 7]


@pytest.mark.parametrize(
    "parts",
    [
        {"tickers": [], "dropped_symbols": {}},
        {"dropped_symbols": {}, "stop_reason": "SIGTERM"},
        {"error": "the store is gone"},
        {"command": "merge"},
    ],
    ids=["nobody_answered", "stopped_early", "ended_by_an_error", "another_command"],
)
def test_what_a_run_did_not_come_to_is_not_told_as_nothing_missing(parts: dict[str, Any]) -> None:
    figures = figures_of(ended_run("failed", **parts))

    assert [figures[name] for name in LEFT] == [None, None]
    assert all(figures[name] is not None for name in DID)


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_of_a_run_without_an_end_nothing_is_known_but_what_it_was_given(status: str) -> None:
    figures = figures_of(ended_run(status))

    assert [figures[name] for name in (*DID, *LEFT)] == [None] * 8
    assert figures["symbols_wanted"] == 2


def test_a_run_fills_gaps_of_its_own_symbols_and_of_what_they_are_made_from() -> None:
    bitcoin, tether, ether = (Symbol.parse(s) for s in ("BTC/USD", "BTC/USDT", "ETH/USD"))
    merged, source = Series.merged(bitcoin, MINUTE), Series("binance", tether, MINUTE)
    basis = MergeBasis(MergeRules(("binance",), 1, 5.0), (source,))
    others = [Series.merged(ether, MINUTE), Series.merged(bitcoin, Timeframe(60))]
    records = {merged: SeriesRecord(merging=Merging(basis)), source: SeriesRecord()}
    records |= dict.fromkeys(others, SeriesRecord())
    of_bitcoin = {"symbols": ["BTC/USD"], "timeframe": "1m"}

    assert filled_by([run("1", "running") | of_bitcoin], records) == {merged, source}
    assert filled_by([run("1", "ok") | of_bitcoin], records) == frozenset()
    assert filled_by([run("1", "running") | {"command": "prune"}], records) == frozenset()
    assert filled_by([run("1", "running")], records) == records.keys()


def test_a_symbol_is_told_the_status_of_its_own_ticker() -> None:
    served = {"symbol": "BTC/USD", "status": "failed", "exchanges": {"x": {"symbol": "BTC/USDT"}}}
    own = {"symbol": "BTC/USDT", "status": "ok", "exchanges": {}}
    report = run("1", "degraded") | {"timeframe": "1m", "tickers": [served, own]}

    found = last_runs_of([report])

    assert found["BTC/USD", "1m"].ticker_status == "failed"
    assert found["BTC/USDT", "1m"].ticker_status == "ok"
