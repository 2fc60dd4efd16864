"""InfluxDB behind a proxy that misbehaves, and what a person is told."""

import gzip
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl
import pytest
from influxd import InfluxServer
from misbehaving_proxy import Fault, MisbehavingProxy, Request
from storing import covering, keep, put, remove
from tenacity import wait_fixed

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import (
    SeriesChange,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore

OpenStore = Callable[..., InfluxDbStore]

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
RECORD = covering(IntervalSet.of(START_MS, START_MS + 10 * MINUTE_MS))

WRITE, QUERY, DELETE = "/api/v2/write", "/query", "/api/v2/delete"
UNAVAILABLE = Fault(status=503, body=b'{"code":"unavailable","message":"try later"}')
DROPPED = Fault(is_dropped=True)
LOST_ANSWER = Fault(is_forwarded=True, is_dropped=True)


def candles(row_count: int, first_minute: int = 0) -> pl.DataFrame:
    times = [START_MS + (first_minute + minute) * MINUTE_MS for minute in range(row_count)]
    values = [float(first_minute + minute) for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )


@pytest.fixture
def proxy(influx_server: InfluxServer) -> Iterator[MisbehavingProxy]:
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        yield proxy


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the store would have slept, in order."""
    return []


@pytest.fixture
def open_store(
    proxy: MisbehavingProxy, bucket: InfluxDbConnection, pauses: list[float]
) -> Iterator[OpenStore]:
    """Opens stores that reach the real server through the proxy, and do not sleep."""
    opened: list[InfluxDbStore] = []

    def open_one(patience: Patience | None = None, **changes: Any) -> InfluxDbStore:
        patience = patience or Patience(tries=4, wait=wait_fixed(1), sleep=pauses.append)
        connection = replace(bucket, **{"url": proxy.url, "timeout_seconds": 5, **changes})
        opened.append(InfluxDbStore(connection, patience=patience))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> InfluxDbStore:
    return open_store()


CALLS: dict[str, tuple[str, Callable[[InfluxDbStore], object]]] = {
    "replace candles": (WRITE, lambda store: put(store, KRAKEN, candles(3), RECORD)),
    "replace records": (WRITE, lambda store: keep(store, {KRAKEN: RECORD})),
    "replace with a deletion": (DELETE, lambda store: remove(store, KRAKEN, [START_MS])),
    "read_candles": (QUERY, lambda store: store.read_candles(KRAKEN, EVERYTHING)),
    "read_newest": (QUERY, lambda store: store.read_newest([KRAKEN], START_MS)[KRAKEN]),
    "last_open_ms": (QUERY, lambda store: store.last_open_ms(KRAKEN, 2**60)),
    "read_records": (QUERY, lambda store: store.read_records()),
    "write_state": (WRITE, lambda store: store.write_state("s", {"k": 1})),
    "read_state": (QUERY, lambda store: store.read_state("s")),
    "write_run": (
        WRITE,
        lambda store: store.write_run({"run_id": "r", "started_ms": 1, "status": "ok"}),
    ),
    "read_runs": (QUERY, lambda store: store.read_runs(3)),
    "check": ("/ping", lambda store: store.check()),
    "require_retention": ("/api/v2/buckets", lambda store: store.require_retention(0, START_MS)),
}
NOT_FOUND_REMEDIES = {
    "/ping": ["no InfluxDB", "--influxdb_url"],
    "/api/v2/buckets": ["--create_bucket"],
}
every_call = pytest.mark.parametrize(("path", "call"), CALLS.values(), ids=CALLS.keys())


@every_call
@pytest.mark.parametrize(
    "fault",
    [
        UNAVAILABLE,
        DROPPED,
        LOST_ANSWER,
        Fault(status=500, body=b'{"message":"timeout"}'),
        Fault(status=502, body=b"<html>Bad gateway</html>"),
        Fault(status=504),
        Fault(status=429),
        Fault(status=429, headers={"Retry-After": "7"}),
    ],
    ids=["503", "dropped", "lost answer", "500", "502", "504", "429", "429 with time"],
)
def test_a_passing_fault_is_waited_out(
    open_store: OpenStore,
    proxy: MisbehavingProxy,
    pauses: list[float],
    path: str,
    call: Callable[[InfluxDbStore], object],
    fault: Fault,
) -> None:
    expected = call(open_store())
    proxy.next(path, fault, fault)

    assert_same(call(open_store()), expected)

    assert pauses == ([7.1, 7.1] if "Retry-After" in fault.headers else [1.0, 1.0])


def assert_same(found: object, expected: object) -> None:
    if isinstance(found, pl.DataFrame):
        assert isinstance(expected, pl.DataFrame)
        assert found.equals(expected)
    else:
        assert found == expected


@every_call
@pytest.mark.parametrize("fault", [UNAVAILABLE, DROPPED], ids=["503", "dropped"])
def test_a_lasting_fault_is_an_error_that_names_the_server_and_its_flag(
    store: InfluxDbStore,
    proxy: MisbehavingProxy,
    pauses: list[float],
    path: str,
    call: Callable[[InfluxDbStore], object],
    fault: Fault,
) -> None:
    proxy.always(path, fault)

    with pytest.raises(StoreUnavailableError) as caught:
        call(store)

    assert proxy.url in str(caught.value)
    assert "--influxdb_url" in str(caught.value)
    assert len(pauses) == 3


def test_a_server_that_is_not_there_is_a_transient_error(
    open_store: OpenStore, pauses: list[float]
) -> None:
    store = open_store(url="http://127.0.0.1:1")

    with pytest.raises(
        StoreUnavailableError, match=r"127\.0\.0\.1:1 .*: connection refused;.*--influxdb_url"
    ):
        store.check()

    assert pauses == [1.0, 1.0, 1.0]


def test_a_name_that_is_no_hosts_is_a_transient_error(open_store: OpenStore) -> None:
    store = open_store(url="http://no.such.host.invalid:8086")

    with pytest.raises(StoreUnavailableError, match="cannot resolve its name; check that it runs"):
        store.read_state("s")


@pytest.mark.parametrize("name", ["read_state", "replace candles"])
def test_a_server_that_speaks_no_tls_is_refused_at_once(
    open_store: OpenStore, proxy: MisbehavingProxy, pauses: list[float], name: str
) -> None:
    store = open_store(url=proxy.url.replace("http:", "https:"))

    with pytest.raises(StoreRefusedError, match=r"it speaks no TLS there; .*--influxdb_url"):
        CALLS[name][1](store)

    assert pauses == []


def test_an_answer_that_does_not_come_is_a_transient_error(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    over = threading.Event()
    proxy.always(QUERY, Fault(status=503, on_request=lambda _: over.wait(20)))
    store = open_store(Patience(tries=1), timeout_seconds=0.1)
    try:
        with pytest.raises(
            StoreUnavailableError, match=r"timed out after 0\.1 s, waiting for its answer"
        ):
            store.read_state("s")
    finally:
        over.set()


def test_a_connection_that_closes_is_told_by_that(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    store = open_store(Patience(tries=1))
    proxy.next(QUERY, DROPPED)

    with pytest.raises(StoreUnavailableError, match="it closed the connection without an answer"):
        store.read_state("s")


def test_waiting_ends_when_the_patience_does(
    open_store: OpenStore, proxy: MisbehavingProxy, pauses: list[float]
) -> None:
    proxy.always(QUERY, Fault(status=429, headers={"Retry-After": "25"}))
    patience = Patience(tries=100, seconds=60, wait=wait_fixed(0), sleep=pauses.append)

    with pytest.raises(StoreUnavailableError, match="429"):
        open_store(patience).read_state("s")

    assert pauses == [25, 25]


def test_waiting_ends_when_the_run_is_to_stop(
    open_store: OpenStore, proxy: MisbehavingProxy, pauses: list[float]
) -> None:
    proxy.always(QUERY, UNAVAILABLE)
    patience = Patience(
        wait=wait_fixed(1), sleep=pauses.append, is_to_stop=lambda: len(pauses) == 2
    )

    with pytest.raises(StoreUnavailableError):
        open_store(patience).read_state("s")

    assert pauses == [1.0, 1.0]


def test_each_wait_is_logged(
    store: InfluxDbStore, proxy: MisbehavingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.next(QUERY, UNAVAILABLE)

    with caplog.at_level(logging.WARNING):
        store.read_state("s")

    (message,) = caplog.messages
    for part in (proxy.url, "try 1 of 4", "1.0 s", "try later"):
        assert part in message


def test_the_end_of_the_retries_is_an_error_in_the_log(
    store: InfluxDbStore, proxy: MisbehavingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.always(QUERY, UNAVAILABLE)

    with caplog.at_level(logging.ERROR), pytest.raises(StoreUnavailableError):
        store.read_state("s")

    (message,) = caplog.messages
    assert message.startswith(
        f"Failed to connect to InfluxDB after retries: InfluxDB at {proxy.url}"
    )
    assert message.endswith(": HTTP 503: try later")


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


def test_lines_go_out_as_gzip_in_requests_of_a_few_thousand(
    store: InfluxDbStore, proxy: MisbehavingProxy
) -> None:
    put(store, KRAKEN, candles(12_000), RECORD)

    *writes, _ = [request for request in proxy.requests if request.path.startswith(WRITE)]
    assert {request.headers["Content-Encoding"] for request in writes} == {"gzip"}
    lines = [gzip.decompress(request.body).decode().splitlines() for request in writes]
    assert [len(batch) for batch in lines] == [5_000, 5_000, 2_000]
    assert lines[0][0] == (
        "exchange_candles,currency_pair=BTC/USD,exchange=kraken,timeframe=1m "
        f"open=0.0,high=0.0,low=0.0,close=0.0,volume=0.0 {START_MS}"
    )


ALL_SERIES = [
    Series(exchange, Symbol(f"A{number}", "USD"), Timeframe(1))
    for number in range(200)
    for exchange in ("kraken", "binance", "coinbaseexchange", "aggregated")
]


def candles_of(series: Series, row_count: int) -> pl.DataFrame:
    frame = candles(row_count)
    if not series.is_merged:
        return frame
    return frame.with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


def test_200_symbols_are_read_in_four_requests_over_one_connection(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    """What every series is known to be, its newest candles, and the state."""
    records = {
        one: covering(
            RECORD.covered,
            reasons={GapReason.REJECTED: IntervalSet.of(0, (number + 1) * MINUTE_MS)},
        )
        for number, one in enumerate(ALL_SERIES)
    }
    state = {f"A{number}/USD-catch_up": number for number in range(200)}
    filler = open_store()
    filler.replace([SeriesChange(one, records[one], candles_of(one, 3)) for one in ALL_SERIES])
    filler.write_state("ingestor", state)
    store = open_store()
    proxy.requests.clear()
    connections = proxy.connections

    assert store.read_records() == records
    newest = store.read_newest(ALL_SERIES, START_MS + MINUTE_MS)
    assert store.read_state("ingestor") == state
    assert proxy.paths() == [QUERY] * 4
    store.write_state("ingestor", state)

    assert [*proxy.paths("GET"), *proxy.paths()] == ["/api/v2/buckets", *[QUERY] * 4, WRITE]
    assert proxy.connections - connections == 1
    for one in ALL_SERIES:
        assert newest[one].equals(candles_of(one, 3).tail(2))


def test_200_symbols_are_written_in_three_requests(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    """The cautious records, the candles, the records; what is true already is written once."""
    store = open_store()
    store.replace([SeriesChange(one, RECORD, candles_of(one, 3)) for one in ALL_SERIES])
    cautious = covering(IntervalSet.of(START_MS, START_MS + MINUTE_MS))
    proxy.requests.clear()

    store.replace(
        [
            SeriesChange(one, RECORD, candles_of(one, 5), cautious=cautious)
            for one in ALL_SERIES[:-1]
        ]
        + [SeriesChange(ALL_SERIES[-1], RECORD, cautious=RECORD)]
    )

    assert proxy.paths() == [WRITE] * 3
    measurements = [
        {line.partition(",")[0] for line in gzip.decompress(request.body).decode().splitlines()}
        for request in proxy.requests
    ]
    assert measurements == [
        {"candle_coverage"},
        {"candles", "exchange_candles"},
        {"candle_coverage"},
    ]
    assert gzip.decompress(proxy.requests[0].body).count(b"A199") == 4
    assert gzip.decompress(proxy.requests[2].body).count(b"A199") == 3
    assert open_store().read_records() == dict.fromkeys(ALL_SERIES, RECORD)


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
