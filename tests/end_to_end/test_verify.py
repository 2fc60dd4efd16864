"""The command verify over what real runs stored, and what was spoilt since."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXCHANGES = ("coinbaseexchange", "bitstamp")
NOW = "2024-05-02T02:00:10"
START = "2024-04-30T12:00"
MINUTE_MS = 60_000


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of(NOW), exchanges=EXCHANGES, symbols=("BTC/USD",))


@pytest.fixture
def job(new_job: Any, market: Any, ms_of: Any) -> Any:
    job = new_job("job", now=ms_of(NOW), run_report_path=None)
    job.use(market)
    job.run_well(
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD",
        backfill_start_date=START,
        export_exchange_candles=True,
    )
    return job


def verified(job: Any, *words: str, exit_code: int = 0, **flags: Any) -> Any:
    done = job.run("verify", *words, format="json", **flags)
    assert done.exit_code == exit_code, done.errors + done.output
    return json.loads(done.output)


def spoil(job: Any, statement: str, *values: Any) -> None:
    """Changes the store behind the job's back."""
    with closing(sqlite3.connect(job.folder / "data/candles.sqlite")) as connection, connection:
        changed = connection.execute(statement, values).rowcount
        assert changed


def ids(exchange: str) -> str:
    return f"(SELECT series_id FROM series WHERE exchange = '{exchange}')"


def test_what_nobody_touched_agrees_in_all_its_candles(job: Any) -> None:
    before = job.stored.contents()

    found = verified(job, backfill_start_date=START)

    assert found["status"] == "agrees"
    assert found["differences"] == []
    assert found["sample"] is found["seed"] is None
    lengths = 38 * 60
    for each in found["series"]:
        assert each["known"] == lengths
        assert each["compared"] + each["provisional"] == lengths
        assert 2 <= each["provisional"] <= 20
    (merged,) = found["merged"]
    assert merged["compared"] == lengths
    assert [(each["months"], each["pending"]) for each in found["partitions"]] == [(2, 0)] * 3
    assert job.stored.contents() == before


@pytest.fixture
def spoilt(job: Any, ms_of: Any) -> dict[str, int]:
    """A candle of each exchange changed, taken away and invented; their open times."""
    times = {
        name: ms_of(f"2024-05-01T{clock}")
        for name, clock in (("changed", "03:04"), ("gone", "05:06"))
    }
    stored = job.stored.of_exchange("bitstamp", "BTC/USD")
    assert times["changed"] in stored
    assert times["gone"] in stored
    silent = (
        t for t in range(ms_of(START), ms_of("2024-05-01T02:00"), MINUTE_MS) if t not in stored
    )
    times["invented"] = next(silent)
    rows = f"exchange_candle_rows WHERE series_id = {ids('bitstamp')} AND open_time_ms"
    where = rows.partition(" ")[2]
    spoil(job, f"UPDATE exchange_candle_rows SET volume = volume * 2 {where} = ?", times["changed"])
    spoil(job, f"DELETE FROM {rows} = ?", times["gone"])
    spoil(
        job,
        f"INSERT INTO exchange_candle_rows VALUES ({ids('bitstamp')}, ?, 1, 2, 0.5, 1, 3)",
        times["invented"],
    )
    return times


def candles_told(job: Any) -> dict[str, int]:
    told = json.loads(job.run("status", "--by_exchange", format="json").output)
    return {each["exchange"]: each["candles"] for each in told["series"]}


def test_after_a_repair_status_tells_how_many_candles_there_are(
    job: Any, spoilt: dict[str, int], ms_of: Any
) -> None:
    gone = ms_of("2024-05-01T07:08")
    spoil(
        job,
        f"DELETE FROM merged_candle_rows WHERE series_id = {ids('aggregated')}"
        " AND open_time_ms = ?",
        gone,
    )
    assert len(spoilt) == 3

    found = verified(job, "--repair", "--restate", backfill_start_date=START)

    assert found["status"] == "repaired"
    stored = job.stored
    assert gone in stored.merged("BTC/USD")
    assert candles_told(job) == {
        "aggregated": len(stored.merged("BTC/USD")),
        **{name: len(stored.of_exchange(name, "BTC/USD")) for name in EXCHANGES},
    }
    assert verified(job, backfill_start_date=START)["status"] == "agrees"


def test_a_count_that_is_not_so_is_told_and_repaired(job: Any, ms_of: Any) -> None:
    gone = ms_of("2024-05-01T05:06")
    spoil(
        job,
        f"DELETE FROM exchange_candle_rows WHERE series_id = {ids('bitstamp')}"
        " AND open_time_ms = ?",
        gone,
    )

    found = verified(job, exit_code=1, verify_exchanges=False, verify_merged=False)

    (difference,) = [each for each in found["differences"] if each["check"] == "count"]
    assert (difference["kind"], difference["month"]) == ("other_count", "2024-05")
    assert difference["stored"]["candles"] == difference["found"]["candles"] + 1
    before = candles_told(job)["bitstamp"]
    verified(job, "--repair", verify_exchanges=False, verify_merged=False)
    assert candles_told(job)["bitstamp"] == before - 1
    assert before - 1 == len(job.stored.of_exchange("bitstamp", "BTC/USD"))


def test_candles_that_differ_are_found_field_by_field_and_nothing_is_written(
    job: Any, spoilt: dict[str, int], ms_of: Any
) -> None:
    before = job.stored.contents()

    found = verified(job, exit_code=1, backfill_start_date=START, verify_merged=False)

    of_exchange = {d["kind"]: d for d in found["differences"] if d["check"] == "exchange"}
    assert found["status"] == "differs"
    assert {kind: ms_of(d["start"][:-1]) for kind, d in of_exchange.items()} == {
        "values": spoilt["changed"],
        "missing": spoilt["gone"],
        "surplus": spoilt["invented"],
    }
    values = of_exchange["values"]
    assert values["exchange"] == "bitstamp"
    assert list(values["stored"]) == list(values["found"]) == ["volume"]
    assert values["stored"]["volume"] == 2 * values["found"]["volume"]
    assert values["size_pct"] == 50
    assert of_exchange["surplus"]["stored"]["close"] == 1
    # What cannot be told in numbers is worst.
    assert [d["kind"] for d in found["differences"] if d["check"] == "exchange"][-1] == "values"
    assert job.stored.contents() == before


def test_a_repair_replaces_what_differs_and_brings_the_rest_in_line(
    job: Any, spoilt: dict[str, int], market: Any, ms_of: Any, truth: Any
) -> None:
    files = job.stored.files()
    clean = {
        e: truth.exchange_candles(market, e, "BTC/USD", ms_of(START), ms_of(NOW[:16]))
        for e in EXCHANGES
    }
    merged_rows = job.stored.merged("BTC/USD")
    spoil(
        job,
        f"UPDATE merged_candle_rows SET close = close + 1 WHERE series_id = {ids('aggregated')}"
        " AND open_time_ms = ?",
        ms_of("2024-05-01T07:08"),
    )

    found = verified(job, "--repair", "--restate", backfill_start_date=START)

    assert found["status"] == "repaired"
    assert {(c["check"], c["kind"]): c["repaired"] for c in found["counts"]}[
        "exchange", "values"
    ] == 1
    assert all(c["found"] == c["repaired"] for c in found["counts"])
    assert found["candles_changed"] >= 4
    stored = job.stored.of_exchange("bitstamp", "BTC/USD")
    assert {t: c[:5] for t, c in stored.items()} == {
        t: tuple(map(float, c)) for t, c in clean["bitstamp"].items()
    }
    assert job.stored.merged("BTC/USD") == merged_rows
    assert job.stored.files() == files
    assert verified(job, backfill_start_date=START)["status"] == "agrees"
    # Only what changes the store leaves a record.
    (record,) = [run for run in job.stored.runs() if run["command"] == "verify"]
    assert (record["status"], record["symbols"]) == ("ok", ["BTC/USD"])
    merged = sum(ticker["merged_candles"] for ticker in record["tickers"])
    assert record["candles"] + merged == found["candles_changed"]


def test_merged_rows_that_do_not_follow_are_found_without_any_exchange(
    job: Any, ms_of: Any
) -> None:
    wrong_ms = ms_of("2024-05-01T07:08")
    spoil(
        job,
        f"UPDATE merged_candle_rows SET close = close + 1 WHERE series_id = {ids('aggregated')}"
        " AND open_time_ms = ?",
        wrong_ms,
    )
    job.settings["exchange_settings_file"] = None

    found = verified(job, "--noverify_exchanges", exit_code=1)

    kinds = {(d["check"], d["kind"]): d for d in found["differences"]}
    assert set(kinds) == {("merged", "values"), ("partition", "other_rows")}
    assert ms_of(kinds["merged", "values"]["start"][:-1]) == wrong_ms
    assert kinds["partition", "other_rows"]["month"] == "2024-05"
    assert found["exchanges"] == []


def test_a_sample_is_the_same_for_its_seed_and_takes_few_requests(job: Any, market: Any) -> None:
    first = verified(job, sample=60)
    again = verified(job, sample=60, seed=first["seed"])
    other = verified(job, sample=60, seed=first["seed"] + 1)

    def drawn(found: Any) -> list[int]:
        return [each["chosen"] for each in found["series"]]

    assert sum(each["compared"] for each in first["series"]) == 60
    assert drawn(first) == drawn(again)
    assert other["seed"] == first["seed"] + 1
    assert sum(each["requests"] for each in first["exchanges"]) <= 12


def test_an_exchange_that_cannot_be_asked_is_told_and_is_no_success(job: Any, market: Any) -> None:
    settings = Path(job.settings["exchange_settings_file"])
    text = settings.read_text()
    address = market.base_url("bitstamp")
    settings.write_text(text.replace(address, "http://127.0.0.1:9"))

    found = verified(job, exit_code=3, backfill_start_date=START)

    assert found["status"] == "not_asked"
    by_exchange = {each["exchange"]: each["error"] for each in found["exchanges"]}
    assert by_exchange["coinbaseexchange"] is None
    assert "refused" in by_exchange["bitstamp"]
    assert {each["exchange"]: each["compared"] > 0 for each in found["series"]} == {
        "coinbaseexchange": True,
        "bitstamp": False,
    }


def overwrite(path: Path, content: bytes) -> None:
    """Also a complete month, which is read-only."""
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil_files", "kind"),
    [
        (lambda folder: (folder / "2024/2024-04.csv").unlink(), "missing_file"),
        (
            lambda folder: overwrite(
                folder / "2024/2024-04.csv",
                (folder / "2024/2024-04.csv").read_bytes().replace(b"0,", b"1,", 1),
            ),
            "wrong_digest",
        ),
        (lambda folder: (folder / "2024/2024-03.csv").write_text("x"), "unlisted_file"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "bad_manifest"),
        (
            lambda folder: (folder / "manifest.json").write_text(
                re.sub(r'"rows": \d+', '"rows": 7', (folder / "manifest.json").read_text(), count=1)
            ),
            "other_facts",
        ),
    ],
)
def test_spoilt_partitions_are_found_and_mended_where_that_is_possible(
    job: Any, spoil_files: Any, kind: str
) -> None:
    files = job.stored.files()
    spoil_files(job.folder / "data/csv/aggregated/BTCUSD")

    found = verified(job, "--noverify_exchanges", exit_code=1)
    can_be_mended = kind in ("missing_file", "wrong_digest", "other_facts")
    repaired = verified(
        job, "--noverify_exchanges", "--repair", exit_code=0 if can_be_mended else 1
    )

    assert [(d["check"], d["kind"]) for d in found["differences"]] == [("partition", kind)]
    assert repaired["status"] == ("repaired" if can_be_mended else "differs")
    assert (job.stored.files() == files) is can_be_mended


def test_a_parquet_table_is_compared_and_mended_too(job: Any) -> None:
    job.run_well("export", export_format="both")
    files = {path: path.read_bytes() for path in job.folder.rglob("*.parquet")}
    assert len(files) == 2
    april, may = sorted(files)
    overwrite(april, may.read_bytes())

    found = verified(job, "--noverify_exchanges", exit_code=1)
    repaired = verified(job, "--noverify_exchanges", "--repair")

    assert {d["kind"] for d in found["differences"]} == {"wrong_digest"}
    assert [(each["format"], each["months"], each["differing"]) for each in found["partitions"]][
        :2
    ] == [("csv", 2, 0), ("parquet", 2, 1)]
    assert repaired["status"] == "repaired"
    assert {path: path.read_bytes() for path in job.folder.rglob("*.parquet")} == files


def test_it_works_beside_a_running_job_and_a_repair_waits_for_none(
    job: Any, market: Any, at_candle_request: Any, ms_of: Any
) -> None:
    heard: list[Any] = []

    def look() -> None:
        heard.append(job.run("verify", "--noverify_exchanges"))
        heard.append(job.run("verify", "--noverify_exchanges", "--repair"))

    job.use(market)
    done = at_candle_request(market, 1, look)
    job.run_well(exchanges=",".join(EXCHANGES), symbols="BTC/USD", backfill_start_date="2024-04-30")

    assert done.is_set()
    assert [each.exit_code for each in heard] == [0, 75], heard[0].errors
    assert "All that was compared agrees." in heard[0].output


def test_the_words_name_what_differs_and_the_seed(job: Any, spoilt: dict[str, int]) -> None:
    shown = job.run("verify", sample=20)
    whole = job.run("verify", backfill_start_date=START, verify_merged=False)

    assert re.match(r"Sample of 20; --seed=\d+ draws it again\.", shown.output)
    assert whole.exit_code == 1
    assert "bitstamp BTC/USD 1m 2024-05-01T03:04Z: volume" in whole.output
    assert "1 exchange candle not stored" in whole.output
    assert "--repair replaces what differs" in whole.output


def test_what_was_not_compared_is_not_said_to_agree(job: Any) -> None:
    flags = {"data_root": "none", "format": "json"}
    values = json.loads(job.run_well("verify", "--noverify_exchanges", **flags).output)
    nothing = job.run("verify", "--noverify_exchanges", "--noverify_merged", data_root="none")

    assert nothing.exit_code == 0
    here = job.stored.data_root
    assert nothing.output == (
        f"{here}: not compared; --data_root={here} compares it\nNothing was compared.\n"
    )
    assert (values["status"], values["partitions_not_compared"]) == ("agrees", [str(here)])
    assert "--data_root: there is no folder none; no partition was compared" in nothing.errors


def test_a_store_that_is_not_there_is_a_mistake_and_csv_is_no_format_of_it(new_job: Any) -> None:
    empty = new_job("empty").run("verify", run_report_path=None)
    table = new_job("table").run("verify", run_report_path=None, format="csv")
    mistyped = new_job("mistyped")
    repaired = mistyped.run("verify", "--repair", run_report_path=None)

    for refused in (empty, repaired):
        assert refused.exit_code == 2
        assert "is not there; name one that is" in refused.complaint
    assert list(mistyped.folder.iterdir()) == []
    assert table.exit_code == 2


def test_what_an_exchange_revised_after_it_was_taken_for_final_is_found_and_mended(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    """Kraken's volume is 3 % short for half a minute, and --refetch_last_candles was too few."""
    flags = {"exchanges": "kraken", "symbols": "BTC/USD", "run_report_path": None}
    job = new_job("job", **flags)
    job.use(simulate(now_ms=ms_of("2024-05-02T02:00:10"), exchanges=("kraken",)))
    job.run_well(
        now=ms_of("2024-05-02T02:00:10"),
        backfill_start_date="2024-05-02",
        refetch_last_candles=0,
    )
    market = simulate(now_ms=ms_of("2024-05-02T03:00:10"), exchanges=("kraken",))
    job.use(market)
    later = {"now": ms_of("2024-05-02T03:00:10"), "backfill_start_date": "2024-05-02"}

    found = verified(job, exit_code=1, **later)
    repaired = verified(job, "--repair", **later)
    again = verified(job, **later)

    (revised,) = [each for each in found["differences"] if each["check"] == "exchange"]
    assert revised["start"] == "2024-05-02T01:59:00Z"
    assert list(revised["stored"]) == ["volume"]
    assert revised["source"] == "candle_endpoint"
    assert 2.5 < revised["size_pct"] < 3.5
    assert (repaired["status"], again["status"]) == ("repaired", "agrees")
    (true,) = market.true_candles("kraken", "BTC/USD", MINUTE_MS, *minute(ms_of, "01:59"))
    assert job.stored.of_exchange("kraken", "BTC/USD")[true.open_ms].volume == float(true.volume)


def minute(ms_of: Any, clock: str) -> tuple[int, int]:
    start_ms = ms_of(f"2024-05-02T{clock}")
    return start_ms, start_ms + MINUTE_MS


def test_what_is_out_of_reach_is_said_and_not_compared(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    flags = {"exchanges": "kraken", "symbols": "BTC/USD", "run_report_path": None}
    job = new_job("job", **flags)
    job.use(simulate(now_ms=ms_of("2024-05-02T06:00:10"), exchanges=("kraken",)))
    job.run_well(now=ms_of("2024-05-02T06:00:10"), backfill_start_date="2024-05-02")
    now = ms_of("2024-05-02T15:00:10")
    job.use(simulate(now_ms=now, exchanges=("kraken",)))

    found = verified(job, backfill_start_date="2024-05-02", now=now)
    told = job.run_well("verify", now=now)

    (series,) = found["series"]
    assert series["beyond_reach"] == 3 * 60 + 3
    assert series["compared"] == series["known"] - series["provisional"] - series["beyond_reach"]
    assert "183 beyond reach" in told.output


def test_the_page_names_every_key_of_the_json(job: Any, spoilt: dict[str, int]) -> None:
    page = (ROOT / "docs/verify.md").read_text(encoding="utf-8")

    found = verified(job, exit_code=1, backfill_start_date=START)

    keys = set(found)
    for part in ("exchanges", "series", "merged", "partitions", "counts", "differences"):
        keys |= {f"{part}.{name}" for name in found[part][0]}
    assert set(re.findall(r"^\| `([\w.]+)` \|", page.partition("| key |")[2], re.MULTILINE)) == keys
