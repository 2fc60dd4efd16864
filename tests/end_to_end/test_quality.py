"""The command quality over stores with faults, and without."""

import csv
import io
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from influxd import InfluxServer
from quality_market import (
    BITCOIN,
    MINUTE,
    Frames,
    everything,
    invented_market,
    series_of,
)

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.quality_rules import UNITS, QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from candle_ingestor.quality.findings_json import COLUMNS
from candle_ingestor.stores.base import SeriesChange, Store
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore
from candle_ingestor.stores.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[2]
DAYS = 10
KRAKEN, BITSTAMP = series_of("kraken"), series_of("bitstamp")
PROVISIONAL_MINUTES = 30


@pytest.fixture(scope="module")
def market() -> Frames:
    """Ten days with an outage of kraken, a spike of bitstamp, and a silence that is not final."""
    frames = invented_market(DAYS)
    start_ms, end_ms = everything(frames)
    time = pl.col("open_time_ms")
    outage = time.is_between(start_ms + 3 * DAY_MS, start_ms + 3 * DAY_MS + HOUR_MS, closed="left")
    newest = time >= end_ms - PROVISIONAL_MINUTES * MINUTE_MS
    frames[KRAKEN] = frames[KRAKEN].filter(~outage & ~newest)
    spike = time == frames[BITSTAMP]["open_time_ms"][8 * 1440]
    frames[BITSTAMP] = frames[BITSTAMP].with_columns(
        high=pl.when(spike).then(pl.col("high") * 1.3).otherwise("high")
    )
    return frames


def fill(store: Store, frames: Frames) -> None:
    span = everything(frames)
    covered = IntervalSet((span,))
    newest = IntervalSet.of(span.end_ms - PROVISIONAL_MINUTES * MINUTE_MS, span.end_ms)
    sources = tuple(frames)
    merged = frames[series_of("coinbaseexchange")].with_columns(
        source_exchanges=pl.lit("bitstamp,coinbaseexchange"),
        exchange_count=pl.lit(2, dtype=pl.Int64),
    )
    rules = MergeRules(tuple(series.exchange for series in sources), 2, 5.0)
    merging = Merging(MergeBasis(rules, sources))
    store.replace(
        [
            *(
                SeriesChange(series, SeriesRecord(Coverage(covered, newest)), frame)
                for series, frame in frames.items()
            ),
            SeriesChange(
                Series.merged(BITCOIN, MINUTE),
                SeriesRecord(Coverage(covered), merging=merging),
                merged.select(MERGED_CANDLES.keys()),
            ),
        ]
    )


@pytest.fixture
def job(new_job: Any, market: Frames) -> Any:
    job = new_job("job", now=everything(market).end_ms + 10_000, run_report_path=None)
    path = job.folder / "data" / "candles.sqlite"
    path.parent.mkdir(parents=True)
    with closing(SqliteStore(path)) as store:
        fill(store, market)
    return job


def findings(job: Any, *words: str, **flags: Any) -> list[dict[str, Any]]:
    found = json.loads(job.run_well("quality", *words, format="json", **flags).output)
    listed: list[dict[str, Any]] = found["findings"]
    return listed


def names(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["exchange"], one["rule"]) for one in found]


OUTAGE, SPIKE = ("kraken", "suspected_outage"), ("bitstamp", "price_spike")


def test_the_faults_are_told_in_words_and_nothing_is_changed(job: Any) -> None:
    before = {path: path.read_bytes() for path in job.folder.rglob("*") if path.is_file()}

    shown = job.run_well("quality").output

    assert re.search(r"kraken BTC/USD 1m\n  suspected_outage  2024-03-04T00:00Z to ", shown)
    assert "It shows no candle for 60 minutes" in shown
    assert "2 findings in" in shown
    assert "Nothing was changed." in shown
    assert {path: path.read_bytes() for path in job.folder.rglob("*") if path.is_file()} == before


def test_findings_say_how_many_merged_candles_the_exchange_is_in(job: Any) -> None:
    by_rule = {one["rule"]: one for one in findings(job)}

    assert by_rule["suspected_outage"]["figures"]["merged_candles"] == 0
    assert by_rule["price_spike"]["figures"]["merged_candles"] == 1
    assert by_rule["price_spike"]["words"].endswith("1 merged candle of that time is made with it.")


def test_csv_has_the_same_findings(job: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(job.run_well("quality", format="csv").output)))

    assert list(rows[0]) == list(COLUMNS)
    assert names(rows) == names(findings(job)) == [OUTAGE, SPIKE]
    assert rows[0]["value"] == "60.0"


def test_a_report_tells_of_the_findings_where_it_is_asked_to(job: Any) -> None:
    asked = json.loads(job.run_well("report", "--findings", format="json").output)
    unasked = json.loads(job.run_well("report", format="json").output)
    tuned = job.run_well("report", "--findings", quality_rules="price_spike").output

    assert asked["findings"] == findings(job)
    assert unasked["findings"] is None
    assert "1 finding in" in tuned
    assert "price_spike" in tuned
    assert "suspected_outage" not in tuned


def test_span_exchanges_rules_and_thresholds_choose(job: Any) -> None:
    assert names(findings(job, backfill_start_date="2024-03-05")) == [SPIKE]
    assert names(findings(job, backfill_end_date="2024-03-05")) == [OUTAGE]
    assert names(findings(job, days=4)) == [SPIKE]
    assert names(findings(job, exchanges="kraken")) == [OUTAGE]
    assert names(findings(job, symbols="BTC/USD", quality_rules="price_spike")) == [SPIKE]
    assert names(findings(job, quality_thresholds="suspected_outage:61")) == [SPIKE]


def test_only_a_typed_span_counts_however_old_the_candles_are(job: Any) -> None:
    later = {"now": "2026-03-11T00:00:10"}
    assert names(findings(job, backfill_end_date="2024-03-05", **later)) == [OUTAGE]
    verified = job.run(
        "verify", "--noverify_exchanges", format="json", backfill_end_date="2024-03-05", **later
    )
    assert json.loads(verified.output)["end"] == "2024-03-05T00:00:00Z"
    span = job.folder / "job.toml"
    span.write_text('backfill_start_date = "2024-03-05"\nbackfill_end_date = "2024-03-06"\n')
    assert names(findings(job, config=span, **later)) == [OUTAGE, SPIKE]
    assert names(findings(job, config=span, backfill_end_date="2024-03-05", **later)) == [OUTAGE]


def test_only_what_was_looked_at_is_called_right(job: Any) -> None:
    whole = json.loads(job.run_well("quality", format="json").output)
    chosen = json.loads(job.run_well("quality", format="json", exchanges="kraken").output)
    before = job.run_well(
        "quality", backfill_start_date="2024-01-01", backfill_end_date="2024-01-02"
    )

    assert len(whole["series"]) > 1
    assert {one["exchange"] for one in chosen["series"]} == {"kraken"}
    assert "There is no candle to look at" in before.output
    assert "Nothing looks wrong" not in before.output


def test_a_pipeline_may_fail_on_findings(job: Any) -> None:
    assert job.run("quality", "--fail_on_findings").exit_code == 1
    assert job.run("quality", "--fail_on_findings", days=1).exit_code == 0


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("quality_rules", "price_spikes", "did you mean price_spike?"),
        ("quality_thresholds", "price_spike:none", "write it as price_spike:30"),
        ("quality_thresholds", "price_spike:-1", "has no positive number"),
        ("symbols", "BTC/EUR", "knows nothing of BTC/EUR"),
    ],
)
def test_a_mistake_is_told_with_what_to_write(job: Any, flag: str, value: str, words: str) -> None:
    told = job.run("quality", **{flag: value})

    assert told.exit_code == 2
    assert words in told.complaint


def test_an_empty_store_is_told_of(new_job: Any) -> None:
    told = new_job("job").run_well("quality", run_report_path=None)

    assert "holds nothing yet" in told.output


def test_influxdb_is_looked_at_too(
    new_influxdb_job: Any, market: Frames, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    with closing(InfluxDbStore(bucket)) as store:
        fill(store, market)
    job = new_influxdb_job(bucket, now=everything(market).end_ms + 10_000, run_report_path=None)

    assert names(findings(job)) == [OUTAGE, SPIKE]


def test_the_page_names_every_key_of_the_json_and_every_rule(job: Any) -> None:
    page = (ROOT / "docs/quality.md").read_text(encoding="utf-8")
    keys = page.partition("\n## JSON and CSV\n")[2].partition("\n## ")[0]
    rules = page.partition("\n## Rules\n")[2].partition("\n## ")[0]

    found = json.loads(job.run_well("quality", format="json").output)

    told = {*found, *found["series"][0], *found["findings"][0]}
    assert set(re.findall(r"^\| `(\w+)` \|", keys, re.MULTILINE)) == told
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", rules, re.MULTILINE)
    assert dict(rows) == {rule.value: UNITS[rule] for rule in QualityRule}
    assert len(rows) == len(QualityRule)
