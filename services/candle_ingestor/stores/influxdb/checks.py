"""What is proved of an InfluxDB before a run begins."""

from __future__ import annotations

import logging
import re
import uuid

import polars as pl

from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.model.times import iso_text
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import point_line
from candle_ingestor.stores.influxdb.queries import delete_predicate, field_query

log = logging.getLogger(__name__)

PROBE = "candle_ingestor_check"
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def check_version(http: InfluxDbHttp) -> None:
    """Proves that an InfluxDB 2 answers.

    Raises:
        StoreRefusedError: if something else does.
    """
    version = http.server_version()
    if version is None:
        raise StoreRefusedError(
            f"{http.connection}: what answers there is no InfluxDB; check --influxdb_url"
        )
    found = _VERSION.match(version)
    if found is None:
        log.warning("%s calls its version %r; 2.x is what is known", http.connection, version)
    elif found[1] != "2":
        raise StoreRefusedError(
            f"{http.connection} has version {version}; InfluxDB 2.x is needed. "
            "Let --influxdb_url lead to one, or use --store=sqlite"
        )


def check_access(http: InfluxDbHttp, time_ns: int) -> None:
    """Proves that the token may write, read and delete in the bucket, and leaves nothing behind.

    Args:
        time_ns: a time that the bucket's retention keeps.

    Raises:
        StoreRefusedError: if it may not, or if InfluxQL reads elsewhere than is written.
    """
    tags = {"probe": uuid.uuid4().hex}
    http.write(pl.Series([point_line(PROBE, tags, {"value": 1}, time_ns)]), "ns")
    try:
        columns = {"time": pl.Int64(), "value": pl.Int64()}
        found = http.query(
            field_query(PROBE, tags, "value"), lambda body: parse_answer(body, columns)
        )
    finally:
        http.delete(delete_predicate(PROBE, tags), time_ns, time_ns)
    if found.rows() != [(time_ns, 1)]:
        connection = http.connection
        raise StoreRefusedError(
            f"{connection}: what is written is not found again by a query. Either the token is of "
            "another organization, which is then queried instead (give one of --influxdb_org), or "
            f"a DBRP mapping leads {connection.database!r} to another bucket (remove it)"
        )


def check_retention(
    connection: InfluxDbConnection, retention_ms: int | None, earliest_ms: int, now_ms: int
) -> None:
    """Proves that candles from `earliest_ms` on are kept.

    Raises:
        StoreRefusedError: if the bucket would drop them.
    """
    if retention_ms is not None and earliest_ms < now_ms - retention_ms:
        raise StoreRefusedError(
            f"{connection} keeps points for {retention_ms / DAY_MS:g} days, from "
            f"{iso_text(now_ms - retention_ms)} on, and would drop the candles wanted from "
            f"{iso_text(earliest_ms)} on; lengthen the bucket's retention, or choose a later "
            "--backfill_start_date"
        )
