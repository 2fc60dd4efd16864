"""Which runs are running, and which died."""

from typing import Any

from candle_ingestor.completeness.runs import (
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
