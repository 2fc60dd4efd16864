"""docs/tables.md, compared with a real SQLite file and a real InfluxDB after a run of the job."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from archive_files import kraken_text, rows_of
from influxd import InfluxServer

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

PAGE = (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8")
EXCHANGES = ("coinbaseexchange", "binanceus")
KINDS = {"float": "float field", "integer": "integer field", "string": "string field"}

COLUMN = re.compile(r"^\| `(\w+)` \|([^|]*)\|", re.MULTILINE)

Schema = dict[str, dict[str, str]]


def documented(store: str) -> Schema:
    """By table or measurement its columns, each with its type."""
    part = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    [text] = [section for section in part if section.startswith(f"{store}\n")]
    tables = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    return {
        table.split("`")[1]: {name: kind.strip() for name, kind in COLUMN.findall(table)}
        for table in tables
    }


def sqlite_schema(path: Path) -> Schema:
    with closing(sqlite3.connect(path)) as store:
        names = store.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {
            name: {row[1]: row[2] for row in store.execute(f"PRAGMA table_info({name})")}
            for (name,) in names.fetchall()
        }


def influxdb_schema(server: InfluxServer, bucket: str) -> Schema:
    def answer(statement: str) -> list[dict[str, Any]]:
        names = {"db": bucket, "rp": "autogen", "q": statement}
        found = server.answer("POST", f"/query?{urlencode(names)}")
        series: list[dict[str, Any]] = found["results"][0]["series"]
        return series

    schema: Schema = {}
    for series in answer("SHOW TAG KEYS"):
        schema[series["name"]] = dict.fromkeys((name for (name,) in series["values"]), "tag")
    for series in answer("SHOW FIELD KEYS"):
        schema[series["name"]] |= {name: KINDS[kind] for name, kind in series["values"]}
    return schema


def test_the_page_describes_both_stores_as_they_are(
    new_job: Any,
    new_influxdb_job: Any,
    simulate: Any,
    ms_of: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    market = simulate(now_ms=ms_of("2024-05-03T02:00:10"), exchanges=EXCHANGES)
    flags = {
        "now": market.clock.now_ms(),
        "exchanges": ",".join(EXCHANGES),
        "symbols": "BTC/USD",
        "backfill_start_date": "2024-05-02",
        "candle_granularity_minutes": 60,
    }
    in_sqlite, in_influxdb = new_job("sqlite", **flags), new_influxdb_job(bucket, **flags)
    for job in (in_sqlite, in_influxdb):
        job.use(market)
        job.run_well()
        file = job.folder / "XBTUSD_60.csv"
        file.write_text(kraken_text(rows_of(ms_of("2023-01-01"), 5, step_ms=3_600_000)))
        job.run_well("import", str(file), exchanges=None)

    assert sqlite_schema(in_sqlite.stored.sqlite_path) == documented("SQLite")
    assert influxdb_schema(influx_server, bucket.bucket) == documented("InfluxDB")
