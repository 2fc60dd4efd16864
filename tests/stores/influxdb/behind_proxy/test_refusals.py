"""Answers of InfluxDB that are final, or no answers to what was asked."""

import logging
import traceback
from collections.abc import Callable
from functools import partial

import pytest
from faulty_influxdb import (
    CALLS,
    DELETE,
    DROPPED,
    EVERYTHING,
    KRAKEN,
    QUERY,
    RECORD,
    WRITE,
    OpenStore,
    candles,
    every_call,
)
from influxd import InfluxServer
from misbehaving_proxy import Fault, MisbehavingProxy, Request
from storing import keep, put

from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.stores.base import (
    StoreError,
    StoreRefusedError,
)
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore

NOT_FOUND_REMEDIES = {
    "/ping": ["no InfluxDB", "--influxdb_url"],
    "/api/v2/buckets": ["--create_bucket"],
}


@every_call
@pytest.mark.parametrize(
    ("status", "remedies"),
    [
        (301, ["--influxdb_url"]),
        (400, ["--influxdb_url"]),
        (401, ["--influxdb_token", "INFLUXDB_TOKEN"]),
        (403, ["read and write", "--influxdb_token"]),
        (404, ["--influxdb_bucket", "--influxdb_org", "--create_bucket"]),
        (405, ["--influxdb_url"]),
        (413, ["limit"]),
        (418, ["--influxdb_url"]),
        (422, ["--influxdb_bucket"]),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(
    store: InfluxDbStore,
    proxy: MisbehavingProxy,
    bucket: InfluxDbConnection,
    pauses: list[float],
    path: str,
    call: Callable[[InfluxDbStore], object],
    status: int,
    remedies: list[str],
) -> None:
    location = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 301 else {}
    proxy.always(path, Fault(status=status, headers=location, body=b'{"message":"because of x"}'))

    with pytest.raises(StoreRefusedError) as caught:
        call(store)

    words = NOT_FOUND_REMEDIES.get(path, remedies) if status == 404 else remedies
    for part in (proxy.url, bucket.bucket, bucket.org, *words):
        assert part in str(caught.value)
    assert pauses == []


@pytest.mark.parametrize(
    ("path", "call"),
    [
        pytest.param(*CALLS[name], id=name)
        for name in CALLS
        if CALLS[name][0] not in (WRITE, DELETE)
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Welcome to the hotel</body></html>", b"null", b"\xff\xfe", b'"name,tags"'],
    ids=["nothing", "html", "null", "no text", "text"],
)
def test_another_servers_answer_is_never_taken_for_no_data(
    store: InfluxDbStore,
    proxy: MisbehavingProxy,
    path: str,
    call: Callable[[InfluxDbStore], object],
    body: bytes,
) -> None:
    proxy.always(path, Fault(status=200, body=body))

    with pytest.raises(StoreError):
        call(store)


def test_every_cut_of_an_answer_is_found_out(store: InfluxDbStore, proxy: MisbehavingProxy) -> None:
    put(store, KRAKEN, candles(3), RECORD)
    whole = store.read_candles(KRAKEN, EVERYTHING)
    proxy.requests.clear()

    for kept in (0, 1, 40, 60, 120, 180):
        proxy.next(QUERY, Fault(keep_bytes=kept))
        assert store.read_candles(KRAKEN, EVERYTHING).equals(whole)
        proxy.next(QUERY, Fault(keep_bytes=kept))
        assert store.read_records() == {KRAKEN: RECORD}

    assert len(proxy.requests) == 24


def test_an_answer_cut_where_a_proxy_hides_it_is_found_out(
    store: InfluxDbStore, proxy: MisbehavingProxy
) -> None:
    """With the right length for what is left of it."""
    put(store, KRAKEN, candles(3))
    csv = b"name,tags,time,open,high,low,close,volume\nexchange_candles,,1,1,1,1,1,1\n"
    proxy.next(QUERY, Fault(status=200, body=csv), Fault(status=200, body=b'{"results":[{}]}'))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles(3))


@pytest.mark.parametrize(
    "name", ["read_state", "read_records", "read_candles", "read_newest", "read_runs"]
)
def test_a_query_that_fails_on_the_server_is_never_taken_for_no_data(
    store: InfluxDbStore,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    name: str,
) -> None:
    """The server answers a failed statement in CSV with status 200 and an empty body."""
    store.write_state("s", {"k": 1})
    buckets = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]
    influx_server.call("DELETE", f"/api/v2/buckets/{buckets[0]['id']}")

    with pytest.raises(StoreRefusedError, match="database not found"):
        CALLS[name][1](store)


def test_the_token_revoked_between_two_writes_is_a_refusal(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    found = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]
    token = influx_server.make_token(found[0]["id"], "read", "write")
    store = open_store(token=token)
    put(store, KRAKEN, candles(3), RECORD)
    tokens = influx_server.answer("GET", "/api/v2/authorizations")["authorizations"]
    (token_id,) = [one["id"] for one in tokens if one["token"] == token]
    influx_server.answer("DELETE", f"/api/v2/authorizations/{token_id}")

    for path_and_call in CALLS.values():
        if path_and_call[0] != "/ping":
            with pytest.raises(StoreRefusedError, match="--influxdb_token"):
                path_and_call[1](open_store(token=token))
    with pytest.raises(StoreRefusedError, match="401"):
        keep(store, {KRAKEN: SeriesRecord()})

    assert open_store().read_candles(KRAKEN, EVERYTHING).equals(candles(3))
    assert open_store().read_records() == {KRAKEN: RECORD}


@every_call
def test_no_failure_shows_the_token(
    open_store: OpenStore,
    proxy: MisbehavingProxy,
    bucket: InfluxDbConnection,
    caplog: pytest.LogCaptureFixture,
    path: str,
    call: Callable[[InfluxDbStore], object],
) -> None:
    def echo(request: Request, status: int) -> Fault:
        told = request.headers["Authorization"].encode()
        return Fault(
            status=status,
            headers={"X-Influx-Error": told.decode()},
            body=b'{"message":"%s"}' % told,
        )

    faults: list[Fault | Callable[[Request], Fault]] = [
        partial(echo, status=code) for code in (200, 400, 401, 422, 503)
    ]
    texts = []
    for fault in (*faults, DROPPED):
        proxy.always(path, fault)
        store = open_store()
        with caplog.at_level(logging.DEBUG):
            try:
                call(store)
            except StoreError as error:
                texts += traceback.format_exception(error)
        texts += [repr(store), store.description, repr(bucket), str(bucket)]
        proxy.heal()

    assert len(texts) > 20
    assert bucket.token not in "\n".join([*texts, caplog.text])
