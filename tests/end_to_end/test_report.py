"""The command report over what real runs stored, and over a recorded market."""

import csv
import gzip
import html
import io
import json
import re
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from archive_files import kraken_text, write_zip
from influxd import InfluxServer

from candle_ingestor.completeness.report_json import COLUMNS
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import ExchangeSimulator

ROOT = Path(__file__).parents[2]
RECORDED = ROOT.parent / "shared" / "data"
MARCH = RECORDED / "market_2023_03_1m"
PUBLISHED = RECORDED / "archives" / "kraken"
MARCH_EXCHANGES = ("coinbaseexchange", "binanceus", "cryptocom", "kraken")

NOW = "2024-05-03T02:00:10"
EXCHANGES = ("coinbaseexchange", "bitstamp")
TIERS = [
    {"symbol": "BTC/USD", "tier": "TIER1"},
    {"symbol": "ETH/USD", "tier": "TIER2"},
    "SOL/USD",
]
TOO_INCOMPLETE = 1
MISTAKE = 2


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(
        now_ms=ms_of(NOW), exchanges=EXCHANGES, symbols=("BTC/USD", "ETH/USD", "SOL/USD")
    )


@pytest.fixture
def job(new_job: Any, market: Any, ms_of: Any) -> Any:
    """A job that has not run, with a list of symbols of two tiers and of none."""
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.use(market)
    (job.folder / "symbols.json").write_text(json.dumps(TIERS))
    return job


FETCHING = {
    "exchanges": ",".join(EXCHANGES),
    "backfill_start_date": "2024-05-02",
    "candle_granularity_minutes": 60,
}


def looked(job: Any, **flags: Any) -> Any:
    """A report, without what tells a run where the exchanges are."""
    return job.run("report", exchange_settings_file=None, **flags)


def told(job: Any, **flags: Any) -> Any:
    shown = looked(job, format="json", **flags)
    assert shown.exit_code == 0, shown.errors
    return json.loads(shown.output)


def timeless(text: str) -> str:
    """What is told, without the second that it is told of: the job's clock goes on."""
    return re.sub(r'"now": "[^"]*"', "", text)


def by_exchange(report: Any) -> dict[str, Any]:
    return {each["exchange"]: each for each in report["series"]}


@pytest.fixture
def march(new_job: Any, simulate: Any, ms_of: Any) -> Any:
    """`march(**flags)`: a job that fetched two weeks of March 2023, days after they ended."""
    if not MARCH.is_dir():
        pytest.skip(f"the recordings of March 2023 are not in {MARCH}")

    def fetch(**flags: Any) -> tuple[Any, ExchangeSimulator]:
        now_ms = ms_of("2023-04-02T00:00:30")
        simulator = simulate(now_ms=now_ms, recordings=(MARCH,))
        job = new_job("march", now=now_ms, run_report_path=None)
        job.use(simulator)
        job.run_well(
            exchanges=",".join(MARCH_EXCHANGES),
            symbols="BTC/USD",
            backfill_start_date="2023-03-01",
            backfill_end_date="2023-03-15",
            **flags,
        )
        return job, simulator

    return fetch


def recorded_candles(name: str) -> list[list[str]]:
    content = gzip.decompress((MARCH / f"{name}.csv.gz").read_bytes()).decode()
    return [line.split(",") for line in content.splitlines()[1:]]


def write_published(folder: Path) -> None:
    """Kraken's file of the quarter, with what was recorded of it."""
    rows = [
        (int(time_ms), *map(float, values))
        for time_ms, *values in recorded_candles("kraken_BTC-USD")
    ]
    folder.mkdir()
    write_zip(folder / "Kraken_OHLCVT_Q1_2023.zip", {"XBTUSD_1.csv": kraken_text(rows)})  # type: ignore[arg-type]


def test_march_2023_is_told_of_by_exchange_and_complete_after_the_file_it_names(
    march: Any,
) -> None:
    job, _ = march()
    wanted = 14 * 1440
    recorded = {
        exchange: len(recorded_candles(f"{exchange.removesuffix('exchange')}_BTC-USD"))
        for exchange in MARCH_EXCHANGES
    }

    before = told(job)
    words = looked(job, fail_below=99.9)

    assert list(by_exchange(before)) == ["aggregated", *MARCH_EXCHANGES]
    for exchange, each in by_exchange(before).items():
        is_known = exchange not in ("aggregated", "kraken")
        assert each["wanted"] == wanted
        assert each["covered"] == (wanted if is_known else 0)
        assert each["completeness_pct"] == (100 if is_known else 0)
        assert each["candles"] == (recorded[exchange] if is_known else 0)
        assert each["no_trade"] == each["covered"] - each["candles"]
        assert [month["month"] for month in each["months"]] == ["2023-03"]
    (gap,) = by_exchange(before)["kraken"]["gaps"]
    assert gap["reason"] == "beyond_reach"
    assert gap["candles"] == wanted
    assert (gap["start"], gap["end"]) == ("2023-03-01T00:00:00Z", "2023-03-15T00:00:00Z")
    (file,) = before["downloads"]
    assert (file["file"], file["archive"]) == ("XBTUSD_1.csv", "Kraken_OHLCVT_Q1_2023.zip")
    (step,) = before["next_steps"]
    (attention,) = before["attention"]
    assert [each["exchange"] for each in attention["lacking"]] == ["kraken"]
    assert words.exit_code == TOO_INCOMPLETE
    assert "Less complete than --fail_below=99.9: 1 of 1, BTC/USD 1m at 0 %" in words.complaint
    assert "kraken lacks 20,160 beyond_reach" in words.output
    assert "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip: 20,160 candles" in words.output
    assert f"./{step['command']}" in words.output

    write_published(job.folder / "got")
    command = step["command"].replace("FOLDER", "got").split()
    assert command[0] == "candle-ingestor"
    job.run_well(*command[1:], exchange_settings_file=None)
    after = told(job)

    for exchange, each in by_exchange(after).items():
        candles = recorded.get(exchange, wanted)
        assert each["completeness_pct"] == 100
        assert (each["wanted"], each["covered"]) == (wanted, wanted)
        # Binance US has a candle in every minute, so that the merged series has, too.
        assert (each["candles"], each["no_trade"]) == (candles, wanted - candles)
        assert each["gaps"] == []
    assert by_exchange(after)["kraken"]["no_trade"] == 48
    assert (after["attention"], after["next_steps"], after["downloads"]) == ([], [], [])
    assert looked(job, fail_below=100).exit_code == 0


def test_krakens_own_file_makes_march_complete_in_five_minutes(march: Any) -> None:
    if not PUBLISHED.is_dir():
        pytest.skip(f"Kraken's published files are not in {PUBLISHED}")
    job, _ = march(candle_granularity_minutes=5)
    (file,) = told(job)["downloads"]
    assert (file["file"], file["archive"]) == ("XBTUSD_5.csv", "Kraken_OHLCVT_Q1_2023.zip")

    (step,) = told(job)["next_steps"]
    command = step["command"].replace("FOLDER", str(PUBLISHED)).split()
    job.run_well(*command[1:], exchange_settings_file=None)

    wanted = 14 * 288
    found = told(job, candle_granularity_minutes=5)
    for each in found["series"]:
        assert (each["wanted"], each["covered"], each["completeness_pct"]) == (wanted, wanted, 100)
        assert each["candles"] + each["no_trade"] == wanted
    # The file has the whole quarter, of which two weeks are wanted.
    kraken = by_exchange(found)["kraken"]
    stored = job.stored.of_exchange("kraken", "BTC/USD", "5m")
    assert kraken["candles"] < len(stored)


@pytest.mark.parametrize("kind", ["sqlite", "influxdb"])
def test_a_run_remembers_tiers_and_the_report_tells_of_some(
    kind: str,
    job: Any,
    new_influxdb_job: Any,
    market: Any,
    ms_of: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    if kind == "influxdb":
        job = new_influxdb_job(bucket, now=ms_of(NOW), run_report_path=None)
        job.use(market)
        (job.folder / "symbols.json").write_text(json.dumps(TIERS))
    job.run_well(**FETCHING, symbols_file="symbols.json")
    # A list that names no tiers takes none back.
    job.run_well(**FETCHING, symbols="BTC/USD")

    whole, first = told(job), told(job, tier="tier1")

    tiers = {(each["exchange"], each["symbol"]): each["tier"] for each in whole["series"]}
    assert tiers == {
        (exchange, symbol): tier
        for symbol, tier in (("BTC/USD", "TIER1"), ("ETH/USD", "TIER2"), ("SOL/USD", None))
        for exchange in ("aggregated", *EXCHANGES)
    }
    assert [total["name"] for total in whole["totals"]["tiers"]] == ["TIER1", "TIER2", None]
    assert {each["symbol"] for each in first["series"]} == {"BTC/USD"}
    for each in whole["series"]:
        assert each["completeness_pct"] == 100
        assert each["candles"] + each["no_trade"] == each["covered"] == each["wanted"] == 26


def test_a_run_of_some_tiers_fetches_only_their_symbols(job: Any, market: Any) -> None:
    job.run_well(**FETCHING, symbols_file="symbols.json", tier="TIER1")
    assert {each["symbol"] for each in told(job)["series"]} == {"BTC/USD"}

    job.run_well(**FETCHING, symbols_file="symbols.json", tier="TIER1,TIER2")
    assert {each["symbol"] for each in told(job)["series"]} == {"BTC/USD", "ETH/USD"}


@pytest.mark.parametrize("run_mode", ["wet", "dry"])
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"symbols_file": "symbols.json", "tier": "TIER9"}, "has the tier TIER9"),
        ({"symbols": "BTC/USD", "tier": "TIER1"}, "--symbols names no tiers"),
        ({"symbols_file": "symbols.json", "tier": ","}, "--tier names no tier"),
    ],
)
def test_a_run_of_a_tier_that_no_symbol_has_is_a_mistake(
    run_mode: str, flags: dict[str, str], words: str, job: Any
) -> None:
    ended = job.run(**FETCHING, **flags, run_mode=run_mode)

    assert ended.exit_code == MISTAKE
    assert words in ended.errors + ended.output
    assert not job.stored.sqlite_path.exists()


def test_a_report_of_a_tier_that_is_not_stored_is_a_mistake(job: Any) -> None:
    job.run_well(**FETCHING, symbols="SOL/USD")
    without = looked(job, tier="TIER1")
    job.run_well(**FETCHING, symbols_file="symbols.json")
    unknown = looked(job, tier="TIER1,TIER3")

    assert (without.exit_code, unknown.exit_code) == (MISTAKE, MISTAKE)
    assert "knows no tiers" in without.complaint
    assert "has the tier TIER3" in unknown.complaint
    assert "there are TIER1, TIER2" in unknown.complaint


def test_an_empty_store_is_told_of_and_is_not_complete(job: Any) -> None:
    text, values, table = (looked(job, format=form) for form in ("text", "json", "csv"))
    judged = looked(job, fail_below=1)

    assert "holds nothing yet" in text.output
    assert json.loads(values.output)["series"] == []
    assert table.output.splitlines() == [",".join(COLUMNS)]
    assert (text.exit_code, values.exit_code, table.exit_code) == (0, 0, 0)
    assert judged.exit_code == TOO_INCOMPLETE
    assert "nothing is stored yet" in judged.complaint
    assert not job.stored.sqlite_path.exists()


def test_a_file_is_written_whole_and_standard_output_says_where(job: Any) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD")
    printed = {form: timeless(looked(job, format=form).output) for form in ("text", "json", "csv")}

    for form, content in printed.items():
        ended = looked(job, format=form, output=f"made/report.{form}", fail_below=100)
        assert ended.exit_code == 0, ended.errors
        assert ended.output == f"The report is in made/report.{form}\n"
        assert "Nothing is less complete than --fail_below=100" in ended.errors
        assert timeless((job.folder / f"made/report.{form}").read_text()) == content
    assert len(list((job.folder / "made").iterdir())) == len(printed)


@pytest.mark.parametrize("command", ["status", "gaps", "report", "quality", "verify", "prune"])
def test_what_the_store_knows_nothing_of_is_a_mistake_of_every_command(
    command: str, job: Any
) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD")
    if command != "verify":
        job.settings.pop("exchange_settings_file")
    flags = {"before": "2024-05-03", "yes": True} if command == "prune" else {}

    length = job.run(command, candle_granularity_minutes=5, **flags)
    exchange = job.run(command, exchanges="bitstamp,gemini", **flags)

    assert (length.exit_code, exchange.exit_code) == (MISTAKE, MISTAKE)
    assert "candles.sqlite has no 5m candles; there are 1h" in length.complaint
    assert "has no candles of gemini; it has those of bitstamp, coinbaseexchange" in (
        exchange.complaint
    )


def test_the_commands_of_the_page_name_the_store_as_those_of_gaps_do(job: Any) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD", sqlite_path="kept/other.sqlite")

    looked(
        job,
        format="html",
        output="page.html",
        sqlite_path="kept/other.sqlite",
        now="2024-05-03T09:00:10",
    )

    assert "--sqlite_path=kept/other.sqlite" in (job.folder / "page.html").read_text()


def test_a_file_that_is_called_a_page_and_gets_text_is_warned_about(job: Any) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD")

    text = looked(job, output="page.html")
    page = looked(job, output="page.html", format="html")

    assert "page.html gets the report as text; --format=html makes it HTML" in text.errors
    assert "gets the report as text" not in page.errors


def test_standard_output_may_be_named_and_has_the_report_alone(job: Any) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD")

    named = looked(job, format="json", output="/dev/stdout")

    assert named.exit_code == 0, named.errors
    assert len(json.loads(named.output)["series"]) == 1 + len(EXCHANGES)
    assert Path("/dev/stdout").is_symlink()


@pytest.mark.parametrize("flag", ["output", "download_list_path"])
def test_a_file_that_cannot_be_written_is_told_of_before_the_work(flag: str, job: Any) -> None:
    (job.folder / "taken").write_text("")
    folder = looked(job, **{flag: "."})
    below_a_file = looked(job, **{flag: "taken/report.txt"})

    assert (folder.exit_code, below_a_file.exit_code) == (MISTAKE, MISTAKE)
    assert f"--{flag}: . is a folder; name a file in it" in folder.complaint
    assert f"--{flag}: cannot write into taken" in below_a_file.complaint
    assert (folder.output, below_a_file.output) == ("", "")


def test_findings_have_no_place_in_csv(job: Any) -> None:
    refused = looked(job, findings=True, format="csv")

    assert refused.exit_code == MISTAKE
    assert "the command quality --format=csv" in refused.complaint


def test_it_reads_beside_a_running_job_and_says_so(
    job: Any, market: Any, at_candle_request: Any, ms_of: Any
) -> None:
    job.run_well(**FETCHING, symbols="BTC/USD")
    job.settings["now"] = ms_of("2024-05-03T02:05:10")
    heard: list[Any] = []

    def look() -> None:
        heard.append(looked(job))
        heard.append(looked(job, format="json"))

    done = at_candle_request(market, 1, look)
    job.run_well(**{**FETCHING, "backfill_start_date": "2024-05-01"}, symbols="BTC/USD")

    assert done.is_set()
    words, values = heard
    assert (words.exit_code, values.exit_code) == (0, 0), words.errors + values.errors
    assert "A run is at work; this is how far it is." in words.output
    assert json.loads(values.output)["is_running"] is True
    assert told(job)["is_running"] is False


def test_the_list_of_downloads_is_the_one_that_a_run_writes(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    market = simulate(now_ms=ms_of(NOW), exchanges=("coinbaseexchange", "kraken"))
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.use(market)
    job.run_well(
        exchanges="coinbaseexchange,kraken",
        symbols="BTC/USD",
        backfill_start_date="2024-05-02",
        download_list_path="run.csv",
    )

    looked(job, download_list_path="report.csv")

    written = (job.folder / "report.csv").read_text()
    assert "Kraken_OHLCVT_Q2_2024.zip" in written
    assert written == (job.folder / "run.csv").read_text()


def test_the_commands_to_copy_work_on_the_same_store(job: Any, ms_of: Any) -> None:
    job.run_well(
        **FETCHING,
        symbols="BTC/USD,ETH/USD",
        sqlite_path="my store/my.sqlite",
        data_root="my store/csv",
    )
    later = {"now": ms_of("2024-05-03T09:00:10"), "sqlite_path": "my store/my.sqlite"}
    (step,) = told(job, **later)["next_steps"]

    exports = f"--data_root={quote(str(job.folder / 'my store/csv'))}"
    assert step["command"] == (
        "candle-ingestor --exchanges=coinbaseexchange,bitstamp --symbols=BTC/USD,ETH/USD "
        "--backfill_start_date=2024-05-02T00:00 --candle_granularity_minutes=60 "
        f"--sqlite_path='my store/my.sqlite' {exports}"
    )
    looked(job, format="html", output="page.html", **later)
    page = (job.folder / "page.html").read_text(encoding="utf-8")
    in_table = html.unescape(re.sub(r"</?span[^>]*>", "", page))
    commands = re.findall(r"<code>(candle-ingestor .*?)</code>", in_table)
    assert commands
    named = f" --sqlite_path='my store/my.sqlite' {exports}"
    assert all(each.endswith(named) for each in commands)


def test_the_table_and_the_page_have_the_fields_of_the_json(job: Any, ms_of: Any) -> None:
    job.run_well(**FETCHING, symbols_file="symbols.json", tier="TIER1")
    later = ms_of("2024-05-03T09:00:10")
    rows = list(csv.DictReader(io.StringIO(looked(job, format="csv", now=later).output)))
    found = told(job, now=later)

    assert tuple(rows[0]) == COLUMNS
    assert [(row["exchange"], row["month"], row["candles"]) for row in rows] == [
        (each["exchange"], month["month"], str(month["candles"]))
        for each in found["series"]
        for month in each["months"]
    ]
    page = (ROOT / "docs/looking.md").read_text(encoding="utf-8")
    section = page.partition("## report")[2].partition("\n## ")[0]
    keys = set(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE))
    series, (attention, *_), (step, *_) = (
        found["series"][0],
        found["attention"],
        found["next_steps"],
    )
    nested = {
        "gaps": series["gaps"][0],
        "months": series["months"][0],
        "totals": found["totals"],
        "attention": attention,
        "next_steps": step,
    }
    assert keys == {*found, *series} | {
        f"{name}.{key}" for name, values in nested.items() for key in values
    }
