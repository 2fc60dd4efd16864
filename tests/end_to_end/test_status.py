"""The command status over what real runs stored."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from influxd import InfluxServer

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

ROOT = Path(__file__).parents[2]
EXCHANGES = ("coinbaseexchange", "bitstamp")
NOW = "2024-05-03T02:00:10"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of(NOW), exchanges=EXCHANGES, symbols=("BTC/USD", "ETH/USD"))


@pytest.fixture
def flags(ms_of: Any) -> dict[str, Any]:
    return {"now": ms_of(NOW), "exchanges": ",".join(EXCHANGES), "run_report_path": None}


def looking(job: Any, *words: str, **flags: Any) -> Any:
    """Runs a command that only looks, without what tells a run where the exchanges are."""
    job.settings = {"now": job.settings["now"]} | {
        name: value
        for name, value in job.settings.items()
        if name.startswith(("influxdb", "store"))
    }
    return job.run(*words, run_report_path=None, **flags)


def ingest(job: Any, market: Any, **changes: Any) -> None:
    job.use(market)
    job.run_well(**{"symbols": "BTC/USD,ETH/USD", "backfill_start_date": "2024-05-02", **changes})


@pytest.mark.parametrize("kind", ["sqlite", "influxdb"])
def test_it_tells_of_both_stores_what_they_hold(
    kind: str,
    new_job: Any,
    new_influxdb_job: Any,
    market: Any,
    flags: dict[str, Any],
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    job = new_job("job", **flags) if kind == "sqlite" else new_influxdb_job(bucket, **flags)
    ingest(job, market)

    found = json.loads(looking(job, "status", "--exchanges", format="json").output)

    assert found["format_version"] == 1
    by_name = {(each["exchange"], each["symbol"]): each for each in found["series"]}
    assert list(by_name) == [
        (exchange, symbol)
        for symbol in ("BTC/USD", "ETH/USD")
        for exchange in ("aggregated", *EXCHANGES)
    ]
    for (exchange, _), each in by_name.items():
        assert each["wanted"] == each["covered"] == 26 * 60
        assert each["completeness_pct"] == 100
        assert each["candles"] > 26 * 60 * 0.8
        assert each["candles"] + each["no_trade"] == 26 * 60
        assert each["first"] == "2024-05-02T00:00:00Z"
        assert each["last"] == "2024-05-03T01:59:00Z"
        assert each["minutes_behind"] == 0
        assert (each["months_complete"], each["months_wanted"]) == (0, 1)
        assert each["last_run"]["status"] == "ok"
        assert (each["size_bytes"] is None) is (kind == "influxdb")
        assert exchange != "aggregated" or each["price_digits"] is not None
    if kind == "sqlite":
        stored = job.stored
        for (exchange, symbol), each in by_name.items():
            rows = (
                stored.merged(symbol)
                if exchange == "aggregated"
                else stored.of_exchange(exchange, symbol)
            )
            assert each["candles"] == len(rows)


def test_what_is_missing_is_told_with_its_reason_and_how_far_behind(
    new_job: Any, market: Any, flags: dict[str, Any], ms_of: Any
) -> None:
    job = new_job("job", **flags)
    ingest(job, market, symbols="BTC/USD")
    later = ms_of("2024-05-03T04:00:10")

    shown = looking(job, "status", now=later).output
    (row,) = csv.DictReader(io.StringIO(looking(job, "status", now=later, format="csv").output))

    assert row["minutes_behind"] == "120"
    assert row["gap_not_fetched"] == "120"
    assert (row["wanted"], row["covered"]) == (str(28 * 60), str(26 * 60))
    assert "BTC/USD 1m lacks 120 not_fetched" in shown
    assert "Last run: ok" in shown


def test_it_reads_beside_a_running_job_and_leaves_no_trace(
    new_job: Any, market: Any, flags: dict[str, Any], at_candle_request: Any
) -> None:
    job = new_job("job", **flags)
    ingest(job, market, symbols="BTC/USD", backfill_start_date="2024-05-03")
    before = sorted(path for path in job.folder.rglob("*"))
    heard: list[Any] = []

    def look() -> None:
        heard.append(job.run("status", run_report_path=None, exchanges=None))

    job.use(market)
    done = at_candle_request(market, 1, look)
    ran = job.run(symbols="BTC/USD", backfill_start_date="2024-05-02")

    assert done.is_set()
    assert ran.exit_code == 0, ran.errors
    assert heard[0].exit_code == 0, heard[0].errors
    assert "BTC/USD 1m" in heard[0].output
    assert sorted(path for path in job.folder.rglob("*")) == before


def test_only_a_symbol_that_is_like_it_may_have_been_meant(
    new_job: Any, market: Any, flags: dict[str, Any]
) -> None:
    job = new_job("job", **flags)
    ingest(job, market)

    other = looking(job, "status", symbols="SOL/USD")
    like = looking(job, "status", symbols="BTC/USDT")

    assert (other.exit_code, like.exit_code) == (2, 2)
    assert "did you mean" not in other.complaint
    assert "did you mean BTC/USD?" in like.complaint


def test_an_empty_store_stays_so_and_is_told_of(new_job: Any, flags: dict[str, Any]) -> None:
    job = new_job("job", **flags)

    text = looking(job, "status")
    machine = looking(job, "status", format="json")

    assert (text.exit_code, machine.exit_code) == (0, 0)
    assert "holds nothing yet: there is no such file" in text.output
    assert "--sqlite_path names another" in text.output
    assert json.loads(machine.output)["series"] == []
    assert list(job.folder.iterdir()) == []

    empty = job.folder / "empty.sqlite"
    empty.touch()
    told = looking(job, "status", sqlite_path=empty)
    assert (told.exit_code, empty.stat().st_size) == (0, 0)
    assert "holds nothing yet: there is no such file, or it is empty" in told.output
    assert list(job.folder.iterdir()) == [empty]


def test_a_symbol_that_nothing_is_known_of_is_a_mistake(
    new_job: Any, market: Any, flags: dict[str, Any]
) -> None:
    job = new_job("job", **flags)
    ingest(job, market, symbols="BTC/USD")

    told = looking(job, "status", symbols="BTC/EUR")

    assert told.exit_code == 2
    assert "knows nothing of BTC/EUR (did you mean BTC/USD?)" in told.complaint


def test_a_store_that_cannot_be_reached_is_told_of_soon(
    new_influxdb_job: Any, flags: dict[str, Any]
) -> None:
    nowhere = InfluxDbConnection("http://127.0.0.1:9", "token", "org", "bucket")
    job = new_influxdb_job(nowhere, **flags)

    told = looking(job, "status")

    assert told.exit_code == 3
    assert "http://127.0.0.1:9" in told.complaint


def test_the_page_names_every_key_of_the_json(
    new_job: Any, market: Any, flags: dict[str, Any]
) -> None:
    job = new_job("job", **flags)
    ingest(job, market, symbols="BTC/USD")
    page = (ROOT / "docs/looking.md").read_text(encoding="utf-8")
    section = page.partition("## status")[2].partition("\n## ")[0]

    found = json.loads(looking(job, "status", format="json").output)

    (series,) = found["series"]
    keys = {*found, *series, *(f"last_run.{name}" for name in series["last_run"])}
    assert set(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)) == keys
