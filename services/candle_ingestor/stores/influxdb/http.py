"""Requests to one InfluxDB over one connection pool, tried again where that can help."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import polars as pl
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, SSLError

from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.answers import (
    AnswerError,
    UnfinishedAnswerError,
    failure_in,
)
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.errors import (
    TransientFault,
    translated_answer,
    translated_fault,
    translated_query_failure,
    unavailable,
)
from candle_ingestor.stores.influxdb.lines import compressed
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.queries import time_text, with_end_mark

_CSV = "application/csv"
_JSON = "application/json"
_CONNECT_SECONDS = 10.0
_ROWS_PER_CHUNK = 1_000
Precision = Literal["ms", "ns"]
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Bucket:
    """What InfluxDB says of a bucket. `retention_ms` is None where it keeps points forever."""

    retention_ms: int | None


class InfluxDbHttp:
    """The calls of InfluxDB 2's HTTP interface that the store needs. Threads may share it.

    Every call may raise StoreUnavailableError, when faults outlast the patience, and
    StoreRefusedError, at once.
    """

    def __init__(self, connection: InfluxDbConnection, patience: Patience) -> None:
        self.connection = connection
        self._patience = patience
        read_seconds = connection.timeout_seconds
        connect_seconds = min(read_seconds, _CONNECT_SECONDS)
        self._timeout = Timeout(connect=connect_seconds, read=read_seconds)
        self._client: InfluxDBClient | None = InfluxDBClient(
            url=connection.url,
            token=connection.token,
            org=connection.org,
            timeout=(connect_seconds * 1000, read_seconds * 1000),
            ssl_ca_cert=str(connection.ca_file) if connection.ca_file else None,
        )

    def close(self) -> None:
        """Closes the pool. Closing twice is harmless."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def write(self, lines: pl.Series, precision: Precision) -> None:
        """Writes the lines in one request, which returns when the server has them on disk.

        Raises:
            RejectedLinesError: if some of them were not written.
        """
        body = compressed(lines)
        self._ask(lambda client: self._write(client, body, precision))

    def query(self, statement: str, parse: Callable[[bytes], _Answer]) -> _Answer:
        """The answer of an InfluxQL statement, with times in ns, through `parse`.

        `parse` is given CSV with an end mark.
        """
        marked = with_end_mark(statement, self.connection.database)

        def ask(client: InfluxDBClient) -> _Answer:
            try:
                return parse(self._influxql(client, marked, _CSV))
            except UnfinishedAnswerError as error:
                reason = failure_in(self._influxql(client, statement, _JSON)) or str(error)
                raise translated_query_failure(reason, self.connection) from None
            except AnswerError as error:
                raise StoreRefusedError(
                    f"{self.connection} gives an answer that cannot be read: {error}; "
                    "check --influxdb_url"
                ) from None

        return self._ask(ask)

    def delete(self, predicate: str, first_ns: int, last_ns: int) -> None:
        """Removes the points that match, from the first time to the last, both included."""
        span = {"start": time_text(first_ns), "stop": time_text(last_ns), "predicate": predicate}
        names = {"org": self.connection.org, "bucket": self.connection.bucket}
        self._ask(lambda client: self._send(client, "POST", "/api/v2/delete", names, span))

    def server_version(self) -> str | None:
        """What the server calls its version; None if it does not say."""

        def ping(client: InfluxDBClient) -> str | None:
            # What knows no such path is no InfluxDB, and has no version either.
            response = self._send(client, "GET", "/ping", expected=(200, 204, 404))
            return response.headers.get("X-Influxdb-Version")

        return self._ask(ping)

    def find_bucket(self) -> Bucket | None:
        """The bucket; None if there is none that the token may read."""
        names = {"org": self.connection.org, "name": self.connection.bucket}

        def find(client: InfluxDBClient) -> Bucket | None:
            response = self._send(client, "GET", "/api/v2/buckets", names, expected=(200, 404))
            if response.status == 404:
                return None
            buckets = json.loads(response.data)["buckets"]
            return _bucket_of(buckets[0]) if buckets else None

        return self._ask(find)

    def create_bucket(self) -> None:
        """Makes the bucket, to keep points forever."""

        def create(client: InfluxDBClient) -> None:
            response = self._send(
                client, "GET", "/api/v2/orgs", {"org": self.connection.org}, expected=(200, 404)
            )
            orgs = json.loads(response.data)["orgs"] if response.status == 200 else []
            if not orgs:
                raise StoreRefusedError(
                    f"{self.connection} has no such org, or the token may not see it; "
                    "make the bucket by hand, or check --influxdb_org and --influxdb_token"
                )
            bucket = {"orgID": orgs[0]["id"], "name": self.connection.bucket, "retentionRules": []}
            self._send(client, "POST", "/api/v2/buckets", {}, bucket)

        self._ask(create)

    def _write(self, client: InfluxDBClient, body: bytes, precision: Precision) -> None:
        try:
            WriteService(client.api_client).post_write(
                org=self.connection.org,
                bucket=self.connection.bucket,
                body=body,
                precision=precision,
                content_encoding="gzip",
                urlopen_kw={"redirect": False},
            )
        except ApiException as error:
            if not error.status:
                raise translated_fault(SSLError(error.reason), self.connection) from None
            raise translated_answer(
                error.status, error.headers or {}, error.body or error.reason, self.connection
            ) from None

    def _influxql(self, client: InfluxDBClient, statement: str, accept: str) -> bytes:
        names = {
            "db": self.connection.database,
            "rp": self.connection.retention_policy,
            "epoch": "ns",
        }
        if accept == _CSV:
            # The server then sends rows while it reads further ones, in bounded memory.
            names |= {"chunked": "true", "chunk_size": str(_ROWS_PER_CHUNK)}
        form = urlencode({"q": statement}).encode("ascii")
        headers = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"}
        body: bytes = self._send(client, "POST", "/query", names, form, headers).data
        return body

    def _send(
        self,
        client: InfluxDBClient,
        method: str,
        path: str,
        names: Mapping[str, str] | None = None,
        body: Mapping[str, object] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        expected: Collection[int] = range(200, 300),
    ) -> BaseHTTPResponse:
        """The whole response, over the client's pool and with its login."""
        api = client.api_client
        response: BaseHTTPResponse = api.rest_client.pool_manager.request(
            method,
            f"{api.configuration.host}{path}?{urlencode(names or {})}",
            body=json.dumps(body) if isinstance(body, Mapping) else body,
            headers={
                "Content-Type": _JSON,
                "Accept": _JSON,
                **api.default_headers,
                **(headers or {}),
            },
            timeout=self._timeout,
            redirect=False,
        )
        if response.status not in expected:
            raise translated_answer(
                response.status, response.headers, response.data, self.connection
            )
        return response

    def _ask(self, call: Callable[[InfluxDBClient], _Answer]) -> _Answer:
        def once() -> _Answer:
            client = self._client
            if client is None:
                raise StoreRefusedError(f"{self.connection} is closed")
            try:
                return call(client)
            except HTTPError as error:
                raise translated_fault(error, self.connection) from None
            except (ValueError, LookupError, TypeError) as error:
                # Not chained, like all errors here: a text with the token must not be shown.
                raise StoreRefusedError(
                    f"{self.connection} answers unlike an InfluxDB 2 "
                    f"({type(error).__name__}); check --influxdb_url"
                ) from None

        try:
            return self._patience.ask(once, self.connection)
        except TransientFault as fault:
            raise unavailable(fault, self.connection) from None


def _bucket_of(answer: Any) -> Bucket:
    seconds = [int(rule["everySeconds"]) for rule in answer["retentionRules"]]
    kept = min((s for s in seconds if s > 0), default=None)
    return Bucket(None if kept is None else kept * 1000)
