"""The demo, as a new user runs it."""

import json
import re
from datetime import datetime
from typing import Any

TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\dZ)"


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_a_second_demo_fetches_only_what_is_new_and_changes_no_earlier_row(job: Any) -> None:
    # Nothing but the command: no flag, no settings file.
    demo = {"run_report_path": None}
    first = job.run_well("demo", **demo)
    report_path = job.folder / "data/demo/run_report.json"
    report = json.loads(report_path.read_text())
    stored = type(job.stored)(job.folder / "data/demo/candles.sqlite", job.folder / "data/demo/csv")
    symbols = [ticker["symbol"] for ticker in report["tickers"]]
    before = {symbol: stored.merged(symbol) for symbol in symbols}

    assert symbols == ["BTC/USD", "ETH/USD", "SOL/USD"]
    assert report["status"] == "ok"
    assert report["seconds"] < 60
    excluded = outages = 0
    for ticker in report["tickers"]:
        assert len(ticker["exchanges"]) == 3
        assert ticker["gaps"] == []
        assert ticker["covered_candles"] == ticker["wanted_candles"] >= 2 * 1440
        excluded += sum(part["excluded"] for part in ticker["exchanges"].values())
    for symbol in symbols:
        outages += sum(row.exchange_count < 3 for row in before[symbol].values())
    assert excluded > 0  # A bad print,
    assert outages > 0  # and an outage.
    outage = re.search(
        rf"(\w+) had no trade to show from {TIME} to {TIME}\. It answered", first.output
    )
    bad_print = re.search(
        rf"(\w+) showed a high 20 % too high for (\S+) at {TIME}\. Its candle was left out",
        first.output,
    )
    assert outage is not None
    assert bad_print is not None
    silent = range(ms_of(outage[2]), ms_of(outage[3]), 60_000)
    for symbol in symbols:
        of_exchange = stored.of_exchange(outage[1], symbol)
        assert not any(minute in of_exchange for minute in silent)
        assert any(minute in before[symbol] for minute in silent)
    exchange, symbol, at = bad_print.groups()
    assert ms_of(at) in stored.of_exchange(exchange, symbol)
    assert exchange not in before[symbol][ms_of(at)].source_exchanges
    part = next(t for t in report["tickers"] if t["symbol"] == symbol)["exchanges"][exchange]
    assert f"{at[:-1]}:00Z" in [minute["time"] for minute in part["excluded_minutes"]]
    assert f"of {exchange} left out, more than 5 % from the median: " in first.output
    assert "Run ok" in first.output
    assert "3 of 3 complete" in first.output
    assert "Where to look:" in first.output
    assert "data/demo/candles.sqlite" in first.output
    assert "data/demo/page.html" in first.output
    for command, words in (
        ("status", "BTC/USD 1m"),
        ("gaps", "Nothing of what is wanted is missing."),
        ("quality", "suspected_outage"),
    ):
        place = "--sqlite_path=data/demo/candles.sqlite"
        assert f"\n  ./candle-ingestor {command} {place}  # " in first.output
        looked = job.run_well(command, sqlite_path="data/demo/candles.sqlite", run_report_path=None)
        assert words in looked.output
    later = {"now": report["finished_ms"] + 86_400_000, "sqlite_path": "data/demo/candles.sqlite"}
    missing = json.loads(job.run_well("gaps", **demo, **later, format="json").output)["gaps"]
    assert {gap["remedy"]["command"] for gap in missing} == {"candle-ingestor demo"}
    page = (job.folder / "data/demo/page.html").read_text(encoding="utf-8")
    assert all(
        f'data-show="{index}">{symbol}</button>' in page for index, symbol in enumerate(symbols)
    )

    job.run_well("demo", **demo)
    report = json.loads(report_path.read_text())
    for ticker in report["tickers"]:
        after = stored.merged(ticker["symbol"])
        rows = before[ticker["symbol"]]
        reread = sorted(rows)[-2:]
        assert all(after[minute] == row for minute, row in rows.items() if minute not in reread)
        new = after.keys() - rows.keys()
        assert all(minute > reread[-1] for minute in new)
        for part in ticker["exchanges"].values():
            assert part["requests"] <= 2
            assert part["candles"] <= len(new)
        assert stored.exported(ticker["symbol"]).frame.height == len(after)


def test_the_demo_refuses_a_flag_it_does_not_know(job: Any) -> None:
    finished = job.run("demo", symbol="BTC/USD")
    assert finished.exit_code == 2
    assert "symbol" in finished.complaint
    assert not (job.folder / "data").exists()
