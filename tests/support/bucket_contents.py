"""What a bucket holds, and what was asked of it, read without the job's own code."""

import gzip
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlencode

from influxd import InfluxServer
from misbehaving_proxy import MisbehavingProxy, Request

PRICES_AND_VOLUME = ("open", "high", "low", "close", "volume")
COVERAGE_KEY = ("exchange", "currency_pair", "timeframe")
_DATA_ROOT = re.compile(r'"[^"]*/(data/csv)"')


def without_place_and_past(record: str) -> str:
    """A series record that says neither in which folder its job worked, nor what its runs noted."""
    fields = json.loads(_DATA_ROOT.sub(r'"\1"', record))
    fields.pop("gap_notes", None)
    return json.dumps(fields, separators=(",", ":"))


def rows_of(server: InfluxServer, bucket: str, measurement: str) -> list[dict[str, Any]]:
    """Every point, with tags, fields and `time` in UTC milliseconds."""
    names = {"db": bucket, "rp": "autogen", "epoch": "ms"}
    names["q"] = f'SELECT * FROM "{measurement}"'
    answer = server.answer("POST", f"/query?{urlencode(names)}")
    (result,) = answer["results"]
    return [
        dict(zip(series["columns"], values, strict=True))
        for series in result.get("series", [])
        for values in series["values"]
    ]


def contents_of(server: InfluxServer, bucket: str) -> dict[str, list[Any]]:
    """Everything in the bucket but the records of runs, in the shape of StoredData.contents."""
    parts: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows_of(server, bucket, "candle_coverage"):
        key = tuple(row[name] for name in COVERAGE_KEY)
        if int(row["part"]) < row["part_count"]:
            parts.setdefault(key, {})[int(row["part"])] = row["intervals"]
    coverage = [
        (*key, without_place_and_past("".join(text for _, text in sorted(parts[key].items()))))
        for key in sorted(parts)
    ]
    state = sorted(
        (row["service_identifier"], row["key"], row["last_processed_timestamp_ms"])
        for row in rows_of(server, bucket, "processing_state")
    )
    return {
        "candles": sorted(
            (
                row["currency_pair"],
                row["timeframe"],
                row["time"],
                *(float(row[name]) for name in PRICES_AND_VOLUME),
                row["exchange_count"],
                row["source_exchanges"],
            )
            for row in rows_of(server, bucket, "candles")
        ),
        "exchange_candles": sorted(
            (
                *(row[name] for name in COVERAGE_KEY),
                row["time"],
                *(float(row[name]) for name in PRICES_AND_VOLUME),
            )
            for row in rows_of(server, bucket, "exchange_candles")
        ),
        "coverage": coverage,
        "state": state,
    }


def runs_of(server: InfluxServer, bucket: str) -> list[dict[str, Any]]:
    """The reports of the runs that the bucket keeps, oldest first."""
    return [
        json.loads("".join(row[f"report_part_{n}"] for n in range(row["report_parts"])))
        for row in rows_of(server, bucket, "ingestion_runs")
    ]


def lines_written(proxy: MisbehavingProxy) -> Counter[str]:
    """How many lines went through the proxy, by measurement."""
    return Counter(
        line.partition(",")[0]
        for request in proxy.requests
        if request.path.startswith("/api/v2/write")
        for line in _body_of(request).splitlines()
    )


def reads(proxy: MisbehavingProxy) -> Counter[str]:
    """How many queries went through the proxy, by measurement."""
    found: Counter[str] = Counter()
    for request in proxy.requests:
        if request.path.startswith("/query"):
            (statement,) = parse_qs(_body_of(request))["q"]
            found[re.findall(r'FROM "?(\w+)', statement)[0]] += 1
    return found


def _body_of(request: Request) -> str:
    is_compressed = request.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(request.body) if is_compressed else request.body).decode()
