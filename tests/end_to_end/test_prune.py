"""The command prune over what real runs stored, and the runs that follow."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from archive_files import kraken_text, rows_of
from influxd import InfluxServer
from terminal import Terminal

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

ROOT = Path(__file__).parents[2]
EXCHANGES = ("coinbaseexchange", "bitstamp")
NOW = "2024-05-02T02:00:10"
START = "2024-04-30T12:00"
BEFORE = "2024-05-01T06:00"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of(NOW), exchanges=EXCHANGES, symbols=("BTC/USD", "ETH/USD"))


@pytest.fixture
def fetching() -> dict[str, Any]:
    return {
        "exchanges": ",".join(EXCHANGES),
        "symbols": "BTC/USD,ETH/USD",
        "backfill_start_date": START,
        "export_exchange_candles": True,
    }


@pytest.fixture
def job(new_job: Any, market: Any, ms_of: Any, fetching: dict[str, Any]) -> Any:
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.use(market)
    job.run_well(**fetching)
    return job


def documented(page: str, header: str) -> set[str]:
    """The keys of the table of a page that begins with this header."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"| {header} |")[2]
    return set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))


def times_of_files(job: Any) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in job.stored.data_root.rglob("*")}


def import_candles(
    job: Any, symbol: str, start_ms: int, count: int, timeframe: str = "1m", minutes: int = 1
) -> None:
    rows = rows_of(start_ms, count, step_ms=minutes * 60_000)
    archive = job.folder / f"{symbol.replace('/', '')}_{start_ms}.csv"
    archive.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    job.run_well(
        "import",
        str(archive),
        archive_columns="time:ms,open,high,low,close,volume",
        archive_exchange="kraken",
        archive_symbol=symbol,
        archive_timeframe=timeframe,
    )


def looked(job: Any, command: str, **flags: Any) -> Any:
    shown = job.run_well(
        command, "--exchanges", format="json", exchange_settings_file=None, **flags
    )
    return json.loads(shown.output)


def prune(job: Any, *words: str, **flags: Any) -> Any:
    return job.run_well("prune", *words, exchange_settings_file=None, **flags)


def test_a_dry_run_says_what_would_go_and_changes_nothing(job: Any, ms_of: Any) -> None:
    before, files = job.stored.contents(), job.stored.files()

    told = prune(job, before=BEFORE, run_mode="dry").output

    assert job.stored.contents() == before
    assert job.stored.files() == files
    candles = len([t for t in job.stored.merged("BTC/USD") if t < ms_of(BEFORE)])
    assert f"aggregated BTC/USD 1m: {candles:,} candles in 2 months" in told
    assert "all before 2024-05-01T06:00Z; 2 files" in told
    sums = told.splitlines()[-2]
    assert "of 6 series, and 12 files (" in sums
    assert sums.endswith("; 6 written anew)")
    assert told.endswith("Nothing was removed.\n")

    planned = json.loads(prune(job, before=BEFORE, run_mode="dry", format="json").output)
    assert job.stored.contents() == before
    assert (planned["status"], planned["run_mode"], planned["done"]) == ("planned", "dry", None)
    merged = planned["series"][2]
    assert (merged["exchange"], merged["candles"]) == ("aggregated", candles)
    assert merged["months"] == ["2024-04", "2024-05"]
    assert [Path(path).name for path in merged["files"]] == ["2024-04.csv", "2024-05.csv"]
    assert merged["files_written_anew"] == merged["files"][1:]


def test_candles_before_a_date_go_and_no_run_brings_them_back_unasked(
    job: Any, market: Any, ms_of: Any, fetching: dict[str, Any]
) -> None:
    untouched = {e: job.stored.of_exchange(e, "BTC/USD") for e in EXCHANGES}
    merged = job.stored.merged("BTC/USD")

    done = json.loads(prune(job, "--yes", before=BEFORE, format="json").output)

    def newer(candles: Any) -> Any:
        return {time: candle for time, candle in candles.items() if time >= ms_of(BEFORE)}

    assert done["status"] == "done"
    parts = {"series": done["series"][0], "done": done["done"]}
    keys = {f"{part}.{key}" for part, values in parts.items() for key in values}
    described = documented("prune.md", "key")
    assert {*done, *keys} == {key for key in described if not key.startswith("losses.")}
    assert done["done"]["candles_removed"] == sum(each["candles"] for each in done["series"])
    assert len(done["done"]["files_removed"]) == len(done["done"]["files_written"]) == 6
    (record,) = [run for run in job.stored.runs() if run["command"] == "prune"]
    assert (record["status"], record["symbols"]) == ("ok", ["BTC/USD", "ETH/USD"])
    assert record["candles_removed"] == done["done"]["candles_removed"]
    for exchange in EXCHANGES:
        assert job.stored.of_exchange(exchange, "BTC/USD") == newer(untouched[exchange])
        assert job.stored.coverage(exchange, "BTC/USD")[0][0] == ms_of(BEFORE)
    assert job.stored.merged("BTC/USD") == newer(merged)
    month = job.stored.manifest("BTCUSD")["months"]["2024-05"]
    assert list(job.stored.manifest("BTCUSD")["months"]) == ["2024-05"]
    assert month["first_timestamp"] >= "2024-05-01T06:00:00Z"
    assert not any("2024-04" in name for name in job.stored.files())
    assert looked(job, "gaps")["gaps"] == []
    assert all(each["wanted"] == each["covered"] for each in looked(job, "status")["series"])

    contents, files = job.stored.contents(), times_of_files(job)
    again = prune(job, "--yes", before=BEFORE).output
    assert again.startswith("There is nothing to remove.")
    assert prune(job, before=BEFORE, run_mode="dry").output == again
    for mode in ("dry", "wet"):
        told = json.loads(prune(job, "--yes", before=BEFORE, run_mode=mode, format="json").output)
        assert (told["status"], told["run_mode"], told["series"]) == ("nothing", mode, [])
    assert (job.stored.contents(), times_of_files(job)) == (contents, files)

    job.run_well(**fetching)
    assert newer(job.stored.merged("BTC/USD")) == job.stored.merged("BTC/USD")
    assert job.stored.contents()["exchange_candles"] == contents["exchange_candles"]
    state = job.stored.state()
    assert state["BTC/USD-backfill"] == state["BTC/USD-catch_up"]
    assert looked(job, "gaps")["gaps"] == []
    verified = json.loads(job.run_well("verify", "--noverify_exchanges", format="json").output)
    assert verified["status"] == "agrees"


def test_what_was_pruned_comes_back_when_it_is_asked_for(
    job: Any, ms_of: Any, fetching: dict[str, Any]
) -> None:
    contents = job.stored.contents()
    prune(job, "--yes", before=BEFORE)

    job.run_well("--force", **fetching)

    assert job.stored.contents()["candles"] == contents["candles"]
    assert job.stored.contents()["exchange_candles"] == contents["exchange_candles"]
    assert job.stored.record("bitstamp", "BTC/USD")["pruned_until_ms"] == ms_of(START)
    assert looked(job, "gaps")["gaps"] == []


def test_a_symbol_goes_with_all_that_is_kept_of_it(job: Any, fetching: dict[str, Any]) -> None:
    eth = job.stored.merged("ETH/USD")

    told = prune(job, "--yes", symbols="BTC/USD").output

    assert "State that goes: BTC/USD-backfill, BTC/USD-catch_up" in told
    assert job.stored.merged("BTC/USD") == {}
    assert job.stored.of_exchange("bitstamp", "BTC/USD") == {}
    assert job.stored.merged("ETH/USD") == eth
    assert {key.partition("-")[0] for key in job.stored.state()} == {"ETH/USD"}
    assert {each["symbol"] for each in looked(job, "status")["series"]} == {"ETH/USD"}
    assert {path.name for path in job.folder.glob("data/csv/*/*")} == {"ETHUSD"}

    job.run_well(**fetching)
    assert len(job.stored.merged("BTC/USD")) > 2000


def test_an_exchange_goes_and_what_is_merged_follows_from_the_rest(
    job: Any, fetching: dict[str, Any]
) -> None:
    job.run_well(**fetching, min_exchanges_required=1)
    job.run_well("merge", min_exchanges_required=1, exchange_settings_file=None)
    lengths = 38 * 60

    told = prune(job, "--yes", symbols="BTC/USD", exchanges="bitstamp").output

    assert f"aggregated BTC/USD 1m: {lengths:,} are merged again from the others" in told
    assert job.stored.of_exchange("bitstamp", "BTC/USD") == {}
    left = job.stored.of_exchange("coinbaseexchange", "BTC/USD")
    merged = job.stored.merged("BTC/USD")
    assert merged.keys() == left.keys()
    assert {candle.source_exchanges for candle in merged.values()} == {"coinbaseexchange"}
    verified = json.loads(job.run_well("verify", "--noverify_exchanges", format="json").output)
    assert verified["status"] == "agrees"


def test_an_exchange_without_which_nothing_can_be_merged_takes_the_merged_past_along(
    job: Any,
) -> None:
    told = prune(job, "--yes", symbols="BTC/USD", exchanges="bitstamp", before=BEFORE).output

    assert "aggregated BTC/USD 1m: " in told
    found = {gap["exchange"] for gap in looked(job, "gaps")["gaps"]}
    assert found == set()
    whole = prune(job, "--yes", symbols="BTC/USD", exchanges="bitstamp").output
    assert "can no longer be merged, since too few exchanges are left" in whole
    assert job.stored.merged("BTC/USD") == {}
    assert {gap["symbol"] for gap in looked(job, "gaps")["gaps"]} == {"BTC/USD"}


@pytest.mark.parametrize("symbols", ["BTC/USD", "ETH/USD,BTC/USD"])
def test_series_of_another_length_than_the_one_that_is_named_stay(
    new_job: Any, ms_of: Any, symbols: str
) -> None:
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    import_candles(job, "BTC/USD", ms_of("2023-01-01"), 10)
    import_candles(job, "ETH/USD", ms_of("2023-01-01"), 10, "1h", 60)
    before = job.stored.contents()

    flags = {"symbols": symbols, "candle_granularity_minutes": 60}
    refused = job.run("prune", "--yes", **flags)
    looking = job.run("status", **flags)

    assert (refused.exit_code, looking.exit_code) == (2, 2)
    words = "has no 1h candles of BTC/USD; it has those of ETH/USD"
    assert words in refused.complaint
    assert words in looking.complaint
    assert job.stored.contents() == before


def test_a_folder_that_holds_another_symbol_or_another_stores_export_stays(
    new_job: Any, ms_of: Any
) -> None:
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    flags = {"exchange_settings_file": None, "exchanges": "kraken"}
    for symbol in ("GMT/USD", "GM/TUSD"):
        import_candles(job, symbol, ms_of("2023-02-01"), 10)
        job.run_well("merge", symbols=symbol, **flags)
    job.run_well("export", symbols="GMT/USD")
    files = job.stored.files()
    assert any("GMTUSD/2023/2023-02.csv" in name for name in files)

    told = prune(job, "--yes", symbols="GM/TUSD").output

    assert "aggregated/GMTUSD, since it holds aggregated GMT/USD 1m" in told
    assert job.stored.files() == files
    assert job.stored.merged("GM/TUSD") == {}

    other = new_job("other", now=ms_of(NOW), run_report_path=None)
    import_candles(other, "GMT/USD", ms_of("2023-02-01"), 10)
    other.run_well("merge", symbols="GMT/USD", **flags)
    root = job.stored.data_root
    told = prune(other, "--yes", before="2023-02-01T00:05", data_root=root).output
    assert "aggregated/GMTUSD, since this store did not export it" in told
    assert job.stored.files() == files


def test_a_stopped_prune_that_goes_on_writes_every_exchanges_own_files_anew(job: Any) -> None:
    names = {name for name in job.stored.files() if name.endswith("2024-05.csv")}
    assert len(names) == 6

    stopped = prune(job, "--yes", before=BEFORE, max_run_seconds=1e-6).output
    left = job.stored.files()
    prune(job, "--yes", before=BEFORE)

    assert "Stopped by" in stopped
    assert not names & set(left)
    assert names <= set(job.stored.files())
    assert prune(job, "--yes", before=BEFORE).output.startswith("There is nothing to remove.")
    job.run_well("verify", "--noverify_exchanges")


def test_complete_months_of_what_is_merged_stay_as_exported_and_the_plan_says_so(
    new_job: Any, tmp_path: Path, ms_of: Any
) -> None:
    archive = tmp_path / "XBTUSD_1.csv"
    archive.write_text(kraken_text(rows_of(ms_of("2023-02-01"), 28 * 1440)))
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    flags = {"exchange_settings_file": None, "exchanges": "kraken", "symbols": "BTC/USD"}
    job.run_well("import", str(archive))
    job.run_well("merge", **flags)
    job.run_well("export")
    files = times_of_files(job)
    assert job.stored.manifest("BTCUSD")["months"]["2023-02"]["complete"]

    planned = json.loads(prune(job, exchanges="kraken", run_mode="dry", format="json").output)
    told = prune(job, "--yes", exchanges="kraken").output

    (loss,) = planned["losses"]
    assert (loss["lost"], loss["complete_months"]) == (40_320, ["2023-02"])
    told_of = {f"losses.{key}" for key in loss} & documented("prune.md", "key")
    assert len(told_of) == len(loss) - 3
    assert "aggregated BTC/USD 1m: 40,320 candle lengths can no longer be merged" in told
    assert "1 month of its export is complete and is left as exported: 2023-02." in told
    assert job.stored.merged("BTC/USD") == {}
    assert times_of_files(job) == files
    checked = job.run("verify", "--noverify_exchanges", format="json")
    assert checked.exit_code == 1
    (difference,) = json.loads(checked.output)["differences"]
    assert (difference["kind"], difference["month"]) == ("other_rows", "2023-02")

    job.run_well("export", "--restate")
    month = job.stored.manifest("BTCUSD")["months"]["2023-02"]
    assert (month["rows"], month["complete"]) == (0, False)
    job.run_well("verify", "--noverify_exchanges")

    records = job.stored.runs()
    commands = ["import", "merge", "export", "prune", "export"]
    assert sorted(record["command"] for record in records) == sorted(commands)
    assert {record["status"] for record in records} == {"ok"}
    keys = {key for record in records for key in record}
    tickers = [ticker for record in records for ticker in record["tickers"]]
    keys |= {f"tickers.{key}" for ticker in tickers for key in ticker}
    assert keys == documented("looking.md", "record")
    figures = json.loads(job.run_well("runs", format="json").output)["runs"]
    (merge,) = [each for each in figures if each["command"] == "merge"]
    (pruned,) = [each for each in figures if each["command"] == "prune"]
    assert merge["merged_candles"] == pruned["candles_removed"] == 28 * 1440
    assert (pruned["files_removed"], pruned["files_written"]) == (0, 0)
    shown = job.run_well("runs", pruned["run_id"]).output
    assert f"Run {pruned['run_id']}: prune" in shown
    assert "Removed: 40,320 candles" in shown
    assert re.search(r"prune +\S+ +ok +\S+ +-40,320", job.run_well("runs").output)


def test_without_a_terminal_it_wants_a_yes_and_never_removes_everything(job: Any) -> None:
    before = job.stored.contents()

    unasked = job.run("prune", symbols="BTC/USD")
    as_json = job.run("prune", symbols="BTC/USD", format="json")
    as_csv = job.run("prune", "--yes", symbols="BTC/USD", format="csv")
    everything = job.run("prune", "--yes")
    future = job.run("prune", "--yes", before="2099-01-01")
    unknown = job.run("prune", "--yes", symbols="BTC/EUR")

    mistakes = (unasked, as_json, as_csv, everything, future, unknown)
    assert [each.exit_code for each in mistakes] == [2] * 6
    assert "with it nobody is asked; give --yes" in as_json.complaint
    assert "prune prints text or json" in as_csv.complaint
    assert "there is no terminal to ask on; give --yes" in unasked.complaint
    assert "give --symbols, --exchanges or --before" in everything.complaint
    assert "lies in the future" in future.complaint
    assert "knows nothing of BTC/EUR" in unknown.complaint
    assert job.stored.contents() == before


def test_it_leaves_at_once_while_another_run_works(
    job: Any, market: Any, at_candle_request: Any, fetching: dict[str, Any]
) -> None:
    heard: list[Any] = []
    done = at_candle_request(
        market, 1, lambda: heard.append(job.run("prune", "--yes", symbols="BTC/USD"))
    )
    job.run_well(**{**fetching, "backfill_start_date": "2024-04-30"})

    assert done.is_set()
    assert heard[0].exit_code == 75


def test_an_imported_file_can_be_imported_again(new_job: Any, tmp_path: Path, ms_of: Any) -> None:
    archive = tmp_path / "XBTUSD_1.csv"
    archive.write_text(kraken_text(rows_of(ms_of("2023-01-01"), 10)))
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.run_well("import", str(archive))
    stored = job.stored.of_exchange("kraken", "BTC/USD")
    assert len(stored) == 10

    import_candles(job, "ETH/USD", ms_of("2023-02-01"), 10)

    told = prune(job, "--yes", before="2023-01-01T00:05").output
    assert "Forgotten: the import of 1 file, so that it can be done again" in told
    assert len(job.stored.of_exchange("kraken", "BTC/USD")) == 5
    marks = [
        job.stored.record("kraken", symbol)["pruned_until_ms"] for symbol in ("BTC/USD", "ETH/USD")
    ]
    assert marks == [ms_of("2023-01-01T00:05"), None]

    job.run_well("import", str(archive))
    assert job.stored.of_exchange("kraken", "BTC/USD") == stored


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(job: Any, answer: str) -> None:
    terminal = Terminal(columns=100)
    process = job.start(
        "prune",
        symbols="BTC/USD",
        terminal=terminal,
        exchange_settings_file=None,
        is_output_shown=True,
    )
    terminal.close_job_end()
    terminal.wait_until(lambda seen: "Remove this for good? [y/N]" in seen.text())
    terminal.press(f"{answer}\n")
    finished = job.finish(process)
    terminal.close()

    assert finished.exit_code == 0
    assert bool(job.stored.merged("BTC/USD")) is (answer == "n")


def test_influxdb_is_pruned_the_same(
    new_influxdb_job: Any,
    market: Any,
    ms_of: Any,
    fetching: dict[str, Any],
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    job = new_influxdb_job(bucket, now=ms_of(NOW), run_report_path=None)
    job.use(market)
    job.run_well(**fetching)

    prune(job, "--yes", before=BEFORE)
    prune(job, "--yes", symbols="ETH/USD")

    series = looked(job, "status")["series"]
    assert [each["exchange"] for each in series] == ["aggregated", *EXCHANGES]
    for each in series:
        assert each["symbol"] == "BTC/USD"
        assert each["first"] == "2024-05-01T06:00:00Z"
        assert each["wanted"] == each["covered"] == 20 * 60
        assert each["candles"] + each["no_trade"] == each["covered"]
        assert each["no_trade"] < 200
    verified = json.loads(job.run_well("verify", backfill_start_date=START, format="json").output)
    assert verified["status"] == "agrees"
