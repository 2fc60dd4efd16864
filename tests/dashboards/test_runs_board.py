"""The board of runs on the real server, over what the job wrote."""

from collections.abc import Callable
from typing import Any

import pytest

from candle_ingestor.stores.influxdb.store import InfluxDbStore

MINUTE_MS = 60_000


def test_the_runs_are_listed_newest_first_with_the_figures_of_their_reports(
    grafana: Any, world: Any
) -> None:
    rows = grafana.only("runs", "Runs").rows
    reports = world.store.read_runs(10)
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok"]
    assert [row["started"] for row in rows] == [report["started_ms"] for report in reports]
    for row, report in zip(rows, reports, strict=True):
        tickers = report["tickers"]
        sources = [s for ticker in tickers for s in ticker["exchanges"].values()]
        assert row["seconds"] == report["seconds"]
        assert row["tickers"] == len(tickers)
        assert row["failed_tickers"] == sum(ticker["status"] == "failed" for ticker in tickers)
        assert row["dropped_symbols"] == len(report["dropped_symbols"])
        for name in ("requests", "retries", "failed_pages", "candles", "rejected"):
            assert row[name] == sum(source[name] for source in sources)
        assert row["merged_candles"] == sum(ticker["merged_candles"] for ticker in tickers)
    assert [row["failed_tickers"] for row in rows] == [0, 0, 3, 0]
    assert rows[0]["gap_candles"] == 2 * 123


def test_the_newest_run_is_told_also_when_it_is_not_in_the_time_shown(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    later = grafana.at(
        start_ms=ms_of("2024-05-03T00:00"),
        stop_ms=ms_of("2024-05-03T01:00"),
        now_ms=ms_of("2024-05-03T01:00"),
    )
    started_ms = world.store.read_runs(1)[0]["started_ms"]
    minutes = later.only("runs", "Minutes since the last run").row["minutes"]
    assert minutes == pytest.approx((later.now_ms - started_ms) / MINUTE_MS, abs=1 / MINUTE_MS)
    assert later.only("runs", "Last run").row == {"status": "ok"}
    last_failed = later.only("runs", "Failed tickers in the last run").row
    assert last_failed == {"failed_tickers": 0}
    assert [frame.rows for frame in later.panel("runs", "Failed runs")] == []


def test_failed_runs_are_counted_in_the_time_shown(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    assert grafana.only("runs", "Failed runs").row == {"failed": 2}
    afternoon = grafana.at(start_ms=ms_of("2024-05-02T12:00"), stop_ms=ms_of("2024-05-02T17:00"))
    assert afternoon.only("runs", "Failed runs").row == {"failed": 0}


def test_what_runs_did_is_summed_up_by_interval(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    hourly = grafana.at(window="1h0m0s", stop_ms=ms_of("2024-05-02T17:00"))
    hours = {name: ms_of(f"2024-05-02T{name}:00") for name in ("02", "03", "16")}
    runs = hourly.by("status", "runs", "Runs by status")
    assert runs["ok"].values == {hours["02"]: 1, hours["16"]: 1}
    assert runs["failed"].values == {hours["03"]: 2}
    newest = world.store.read_runs(1)[0]
    duration = hourly.by("status", "runs", "Duration")
    assert duration["ok"].values[hours["16"]] == newest["seconds"]
    requests = hourly.by("count_of", "runs", "Requests to exchanges")
    assert set(requests) == {"requests", "retries", "failed_pages"}
    assert requests["failed_pages"].values == {hours["02"]: 0, hours["03"]: 3, hours["16"]: 0}
    candles = hourly.by("count_of", "runs", "Candles")
    merged = sum(ticker["merged_candles"] for ticker in newest["tickers"])
    assert candles["merged_candles"].values[hours["16"]] == merged
    assert candles["merged_candles"].values[hours["03"]] == 0


def test_the_errors_of_failed_runs_are_those_of_their_reports(grafana: Any, world: Any) -> None:
    wanted = set()
    for report in world.store.read_runs(10):
        if report["error"]:
            wanted.add((report["started_ms"] // 1000 * 1000, "", report["error"]))
        for ticker in report["tickers"]:
            if ticker["errors"]:
                text = "; ".join(ticker["errors"])
                wanted.add((report["started_ms"] // 1000 * 1000, ticker["symbol"], text))
    rows = grafana.only("runs", "Errors of failed runs").rows
    assert {(row["started"], row["symbol"], row["error"]) for row in rows} == wanted
    assert len(rows) == len(wanted) == 4
    assert [row["symbol"] for row in rows] == ["", "SOL/USD", "ETH/USD", "BTC/USD"]


def test_a_command_by_hand_is_no_sign_of_life_of_the_job(grafana: Any, influx_server: Any) -> None:
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        for number, command in enumerate(("ingest", "prune")):
            started_ms = grafana.start_ms + number * MINUTE_MS
            status = {"ingest": "degraded", "prune": "ok"}[command]
            names = {"run_id": command, "command": command}
            store.write_run({**names, "started_ms": started_ms, "status": status})
        store.close()
        board = grafana.at(bucket=connection.bucket, now_ms=grafana.start_ms + 5 * MINUTE_MS)
        assert board.only("runs", "Last run").row == {"status": "degraded"}
        minutes = board.only("runs", "Minutes since the last run").row["minutes"]
    assert minutes == pytest.approx(5, abs=1 / MINUTE_MS)


def test_errors_of_many_long_reports_are_read_whole(grafana: Any, influx_server: Any) -> None:
    """Reports of several parts between those of one; the newest twenty are shown."""
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        for number in range(25):
            padding = ["€" * 15_000] * (number % 3)
            report = {
                "run_id": f"run-{number}",
                "started_ms": grafana.start_ms + number * MINUTE_MS,
                "started": f"2024-05-02T00:{number:02d}:00Z",
                "status": "failed",
                "error": f'no. {number} says "no" \\ ${{no}}',
                "tickers": [],
                "rejected_symbols": padding,
            }
            store.write_run(report)
        store.close()
        rows = grafana.at(bucket=connection.bucket).only("runs", "Errors of failed runs").rows
    assert [row["error"] for row in rows] == [
        f'no. {number} says "no" \\ ${{no}}' for number in reversed(range(5, 25))
    ]
