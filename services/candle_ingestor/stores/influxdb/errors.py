"""InfluxDB's failures as the two families of rule F1."""

from __future__ import annotations

import re
from collections.abc import Mapping

from urllib3.exceptions import HTTPError, SSLError

from candle_ingestor.operations.ca_file import advice_on_authority
from candle_ingestor.operations.retry_after import retry_after_seconds
from candle_ingestor.stores.base import StoreRefusedError, StoreUnavailableError
from candle_ingestor.stores.influxdb.answers import message_in
from candle_ingestor.stores.influxdb.causes import cause_of
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_PERMANENT_QUERY_FAILURE = re.compile(r"not found|unauthorized|forbidden|max-select")
_NO_TRUST = re.compile("CERTIFICATE_VERIFY_FAILED")
_NO_TLS = re.compile("WRONG_VERSION_NUMBER|wrong version number")
_CHECK_TOKEN = "check --influxdb_token or INFLUXDB_TOKEN"
_CHECK_NAMES = "check --influxdb_bucket and --influxdb_org, or make the bucket (--create_bucket)"
_CHECK_URL = "check --influxdb_url"
_CHECK_TRUST = f"{advice_on_authority('--influxdb_ca_file')}; otherwise {_CHECK_URL}"
_REMEDIES = {
    400: "the server takes this for malformed; check that --influxdb_url leads to an InfluxDB 2",
    401: f"the token is not accepted; {_CHECK_TOKEN}",
    403: f"the token must be allowed to read and write the bucket; {_CHECK_TOKEN}",
    404: _CHECK_NAMES,
    405: f"this is no InfluxDB 2; {_CHECK_URL}",
    413: "a proxy or the server limits the size of requests to less than 4 MB; raise its limit",
    422: _CHECK_NAMES,
}


class TransientFault(Exception):  # noqa: N818
    """A failure that is waited out; `retry_after_seconds` is the server's own wish, if any."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RejectedLinesError(StoreRefusedError):
    """Some lines of a request were not written, while others may be.

    Attributes:
        reason: the server's own words.
        remedy: what to do.
    """

    def __init__(self, message: str, reason: str, remedy: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy


def translated_fault(
    error: HTTPError, connection: InfluxDbConnection
) -> TransientFault | StoreRefusedError:
    """What it means that a request got no whole answer."""
    cause = cause_of(error, connection.timeout_seconds)
    reason = connection.without_secrets(message_in(cause))
    if isinstance(error, SSLError) and _NO_TLS.search(reason):
        return StoreRefusedError(
            f"{connection} cannot be used: it speaks no TLS there; give http:// in place of "
            "https:// in --influxdb_url, or another port"
        )
    if isinstance(error, SSLError) and _NO_TRUST.search(reason):
        return StoreRefusedError(f"{connection} cannot be trusted: {reason}; {_CHECK_TRUST}")
    return TransientFault(reason)


def translated_answer(
    status: int, headers: Mapping[str, str], body: object, connection: InfluxDbConnection
) -> TransientFault | StoreRefusedError:
    """What an answer with another status than 2xx means."""
    reason = connection.without_secrets(message_in(body)) or "it says no more"
    if status in _TRANSIENT_STATUSES:
        return TransientFault(f"HTTP {status}: {reason}", retry_after_seconds(headers))
    if status in (400, 422) and ("partial write" in reason or "unable to parse" in reason):
        remedy = _remedy_of_rejection(reason)
        message = f"{connection} rejects lines: {reason}; {remedy}"
        return RejectedLinesError(message, reason, remedy)
    remedy = _CHECK_URL if status < 400 else _REMEDIES.get(status, _CHECK_URL)
    return StoreRefusedError(f"{connection} refuses: HTTP {status}: {reason}; {remedy}")


def translated_query_failure(
    reason: str, connection: InfluxDbConnection
) -> TransientFault | StoreRefusedError:
    """What a statement that failed on the server means."""
    reason = connection.without_secrets(reason)
    if _PERMANENT_QUERY_FAILURE.search(reason):
        return StoreRefusedError(
            f"{connection} cannot be queried: {reason}; the token must be of this organization "
            f"and allowed to read the bucket, {_CHECK_TOKEN}"
        )
    return TransientFault(f"a query failed: {reason}")


def unavailable(fault: TransientFault, connection: InfluxDbConnection) -> StoreUnavailableError:
    """What is said when the fault was waited out for too long."""
    return StoreUnavailableError(
        f"{connection} cannot be used: {fault}; check that it runs, and --influxdb_url"
    )


def no_bucket(connection: InfluxDbConnection) -> StoreRefusedError:
    """What is said where the bucket is not to be seen."""
    return StoreRefusedError(
        f"{connection} has no such bucket, or the token may not read it; "
        "make it with --create_bucket, or check --influxdb_bucket, --influxdb_org and "
        "--influxdb_token"
    )


def _remedy_of_rejection(reason: str) -> str:
    if "retention policy" in reason.lower() and "dropped" in reason:
        return "lengthen the bucket's retention, or fetch less with a later --backfill_start_date"
    if "field type conflict" in reason:
        return (
            "another program wrote the same fields with another type; "
            "choose another --influxdb_bucket"
        )
    return "no other program must write these measurements; choose another --influxdb_bucket"
