"""The command runs over what real runs left, the living and the dead."""

import csv
import io
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from influxd import InfluxServer

from candle_ingestor.completeness.runs import COLUMNS
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

ROOT = Path(__file__).parents[2]
EXCHANGES = ("coinbaseexchange", "bitstamp")
NOW = "2024-05-03T02:00:10"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of(NOW), exchanges=EXCHANGES)


@pytest.fixture
def flags(ms_of: Any) -> dict[str, Any]:
    return {"now": ms_of(NOW), "run_report_path": None}


FETCHING = {
    "exchanges": ",".join(EXCHANGES),
    "symbols": "BTC/USD",
    "backfill_start_date": "2024-05-02",
}


def statuses(job: Any) -> list[str]:
    shown = job.run_well("runs", format="json", exchange_settings_file=None)
    return [run["status"] for run in json.loads(shown.output)["runs"]]


@pytest.mark.parametrize("kind", ["sqlite", "influxdb"])
def test_a_run_is_running_then_interrupted_when_killed_and_another_one_is_ok(
    kind: str,
    new_job: Any,
    new_influxdb_job: Any,
    market: Any,
    flags: dict[str, Any],
    at_candle_request: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    job = new_job("job", **flags) if kind == "sqlite" else new_influxdb_job(bucket, **flags)
    job.use(market)
    heard: list[list[str]] = []

    def look_and_kill() -> None:
        heard.append(statuses(job))
        process.send_signal(signal.SIGKILL)

    done = at_candle_request(market, 1, look_and_kill)
    process = job.start(**FETCHING)
    process.communicate()

    assert done.wait(30)
    assert heard == [["running"]]
    assert statuses(job) == ["interrupted"]

    job.run_well(**FETCHING, now=flags["now"] + 1_000)

    assert statuses(job) == ["ok", "interrupted"]


def test_services_that_share_a_bucket_do_not_hide_each_others_running_and_dead_runs(
    new_influxdb_job: Any,
    market: Any,
    flags: dict[str, Any],
    at_candle_request: Any,
    bucket: InfluxDbConnection,
) -> None:
    first = new_influxdb_job(bucket, "first", **flags, service_identifier="first")
    second = new_influxdb_job(bucket, "second", **flags, service_identifier="second")
    for job in (first, second):
        job.use(market)
    # Its start is later, though it works before.
    second.run_well(**FETCHING, now=flags["now"] + 1_000)
    heard: list[list[str]] = []
    is_running: list[bool] = []

    def look_and_kill() -> None:
        heard.extend(statuses(job) for job in (first, second))
        report = second.run("report", format="json", exchange_settings_file=None)
        is_running.append(json.loads(report.output)["is_running"])
        process.send_signal(signal.SIGKILL)

    done = at_candle_request(market, 1, look_and_kill)
    process = first.start(**FETCHING)
    process.communicate()

    assert done.wait(30)
    assert heard == [["ok", "running"]] * 2
    assert is_running == [True]
    for job in (first, second):
        assert statuses(job) == ["ok", "interrupted"]
        shown = job.run_well("runs", format="json", exchange_settings_file=None)
        services = [run["service_identifier"] for run in json.loads(shown.output)["runs"]]
        assert services == ["second", "first"]


def test_the_report_of_one_run_is_shown_again(
    new_job: Any, market: Any, flags: dict[str, Any]
) -> None:
    job = new_job("job", **flags)
    job.use(market)
    job.run_well(**FETCHING)
    (stored,) = job.stored.runs()
    name = stored["run_id"][:6]

    shown = job.run_well("runs", name, exchange_settings_file=None).output
    whole = job.run_well("runs", name, exchange_settings_file=None, format="json").output

    assert json.loads(whole) == stored
    assert f"Run {stored['run_id']}" in shown
    assert "BTC/USD: 1,560 of 1,560 known" in shown
    assert "Run ok: " in shown


def test_a_name_that_no_run_has_is_a_mistake(new_job: Any, flags: dict[str, Any]) -> None:
    told = new_job("job", **flags).run("runs", "xyz")

    assert told.exit_code == 2
    assert "no run is called 'xyz'" in told.complaint


def test_a_symbol_chooses_no_run_and_is_warned_about(new_job: Any, flags: dict[str, Any]) -> None:
    told = new_job("job", **flags).run_well("runs", symbols="BTC/USD")

    assert "--symbols has no effect on the command runs" in told.errors


def test_no_run_at_all_is_told_of(new_job: Any, flags: dict[str, Any]) -> None:
    told = new_job("job", **flags).run_well("runs")

    assert "holds nothing yet" in told.output


def test_the_table_has_the_figures_of_the_json_and_the_page_names_them(
    new_job: Any, market: Any, flags: dict[str, Any]
) -> None:
    job = new_job("job", **flags)
    job.use(market)
    job.run_well(**FETCHING)

    shown = job.run_well("runs", exchange_settings_file=None, format="csv").output
    found = json.loads(job.run_well("runs", exchange_settings_file=None, format="json").output)
    (row,) = csv.DictReader(io.StringIO(shown))
    (run,) = found["runs"]

    assert tuple(row) == COLUMNS == tuple(run)
    assert row["candles"] == str(run["candles"])
    page = (ROOT / "docs/looking.md").read_text(encoding="utf-8")
    section = page.partition("## runs")[2].partition("\n## ")[0].partition("| key |")[2]
    keys = set(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE))
    assert keys == {*found, *run}
