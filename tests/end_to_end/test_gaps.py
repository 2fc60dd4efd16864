"""The command gaps over what real runs left open, and filled afterwards."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal, unspaced

from candle_ingestor.completeness.gaps_json import COLUMNS
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

ROOT = Path(__file__).parents[2]
NOW = "2024-05-03T02:00:10"
FETCHING = {
    "exchanges": "coinbaseexchange,kraken",
    "symbols": "BTC/USD",
    "backfill_start_date": "2024-05-02",
}


@pytest.fixture
def job(new_job: Any, simulate: Any, ms_of: Any) -> Any:
    market = simulate(now_ms=ms_of(NOW), exchanges=("coinbaseexchange", "kraken"))
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.use(market)
    job.run_well(**FETCHING)
    return job


def listed(job: Any, *words: str, **flags: Any) -> Any:
    shown = job.run_well("gaps", *words, format="json", exchange_settings_file=None, **flags)
    return json.loads(shown.output)


def test_what_kraken_no_longer_answers_is_listed_with_the_file_that_has_it(job: Any) -> None:
    by_exchange = {gap["exchange"]: gap for gap in listed(job, "--exchanges")["gaps"]}

    assert set(by_exchange) == {"aggregated", "kraken"}
    assert by_exchange["kraken"]["reason"] == "beyond_reach"
    assert by_exchange["aggregated"]["reason"] == "below_minimum"
    for gap in by_exchange.values():
        assert gap["start"] == "2024-05-02T00:00:00Z"
        assert gap["status"] == "open"
        assert gap["since"].startswith("2024-05-03T02:00:")
        (file,) = gap["remedy"]["files"]
        assert file["archive"] == "Kraken_OHLCVT_Q2_2024.zip"


def test_the_strip_and_the_worst_gaps_are_told_in_words(job: Any) -> None:
    shown = job.run_well("gaps", exchange_settings_file=None).output.splitlines()

    assert shown[0].strip() == "2024"
    assert re.fullmatch(r"BTC/USD 1m [░▒▓]", shown[1])
    assert any("below_minimum, open, known since 2024-05-03T02:00Z" in line for line in shown)
    assert any("Kraken_OHLCVT_Q2_2024.zip" in line for line in shown)


@pytest.mark.parametrize("columns", [60, 120])
def test_a_terminal_shows_the_strip_and_commands_that_can_be_copied(job: Any, columns: int) -> None:
    terminal = Terminal(columns)
    path = job.folder / "data/candles.sqlite"
    flags = {"exchange_settings_file": None, "sqlite_path": path}
    job.finish(job.start("gaps", terminal=terminal, is_output_shown=True, **flags))
    terminal.wait_until_over()
    rows = terminal.rows()
    terminal.close()

    assert rows[0].strip() == "2024"
    assert re.fullmatch(r"BTC/USD 1m [░▒▓]", rows[1])
    first = next(place for place, row in enumerate(rows) if row.startswith("BTC/USD 1m: "))
    assert rows[first + 1].startswith("    " if columns == 60 else "  Wait for ")
    command = "./candle-ingestor import FOLDER --symbols=BTC/USD --sqlite_path="
    assert unspaced(f"{command}{path}") in unspaced("".join(rows))


def test_a_terminal_without_utf_8_shows_the_strip_in_ascii(job: Any) -> None:
    command = [sys.executable, "-P", "-m", "candle_ingestor", "gaps", f"--now={NOW}Z"]
    environment = {"PYTHONPATH": str(ROOT / "services"), "PYTHONIOENCODING": "ascii"}
    # A process of its own: Python takes the encoding when it starts.
    ended = subprocess.run(
        command, check=False, cwd=job.folder, env=environment, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stderr
    shown = ended.stdout.splitlines()
    assert re.fullmatch(r"BTC/USD 1m [-+*]", shown[1])


def test_the_remedy_of_what_was_not_fetched_is_a_command_that_fills_it(
    job: Any, ms_of: Any
) -> None:
    alone = {"exchanges": "coinbaseexchange", "symbols": "ETH/USD"}
    job.run_well(**alone, backfill_start_date="2024-05-02")
    later = ms_of("2024-05-03T03:00:10")
    (gap,) = listed(job, symbols="ETH/USD", now=later)["gaps"]
    assert (gap["reason"], gap["candles"]) == ("not_fetched", 60)

    words = gap["remedy"]["command"].split()

    assert words[0] == "candle-ingestor"
    assert words[1:] == [
        "--exchanges=coinbaseexchange",
        "--symbols=ETH/USD",
        "--backfill_start_date=2024-05-02T00:00",
    ]


@pytest.mark.parametrize("kind", ["sqlite", "influxdb"])
def test_while_a_run_works_its_gaps_are_filling_and_the_status_is_told(
    kind: str,
    new_job: Any,
    new_influxdb_job: Any,
    simulate: Any,
    ms_of: Any,
    at_candle_request: Any,
    bucket: InfluxDbConnection,
) -> None:
    market = simulate(now_ms=ms_of(NOW), exchanges=("coinbaseexchange",))
    flags = {"now": ms_of(NOW), "run_report_path": None}
    job = new_job("job", **flags) if kind == "sqlite" else new_influxdb_job(bucket, **flags)
    job.use(market)
    alone = {"exchanges": "coinbaseexchange", "symbols": "BTC/USD"}
    job.run_well(**alone, backfill_start_date="2024-05-03")
    later = ms_of(NOW) + 20_000
    heard: list[Any] = []

    def look() -> None:
        heard.extend(listed(job, now=later)["gaps"])
        status = job.run_well("status", format="json", exchange_settings_file=None, now=later)
        heard.extend(json.loads(status.output)["series"])

    # The day before is wanted now, and the second request is for it.
    done = at_candle_request(market, 2, look)
    job.run_well(**alone, backfill_start_date="2024-05-02", now=later)

    assert done.is_set()
    gap, series = heard
    assert (gap["start"], gap["status"]) == ("2024-05-02T00:00:00Z", "filling")
    assert (series["wanted"], series["last_run"]["status"]) == (1_560, "running")
    assert listed(job, now=later)["gaps"] == []


def test_the_table_and_the_page_have_the_fields_of_the_json(job: Any) -> None:
    found = listed(job)
    shown = job.run_well("gaps", exchange_settings_file=None, format="csv").output
    (row,) = csv.DictReader(io.StringIO(shown))

    assert tuple(row) == COLUMNS
    (gap,) = found["gaps"]
    page = (ROOT / "docs/looking.md").read_text(encoding="utf-8")
    section = page.partition("## gaps")[2].partition("\n## ")[0].partition("| key |")[2]
    keys = set(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE))
    remedy = {f"remedy.{name}" for name in gap["remedy"]}
    assert keys == {*found, *gap, *remedy, *found["series"][0]}


def test_an_empty_store_is_told_of(new_job: Any) -> None:
    told = new_job("empty").run_well("gaps", run_report_path=None)

    assert "holds nothing yet" in told.output
