"""InfluxDB behind a proxy that misbehaves, and what a person is told."""

import logging
import threading
from collections.abc import Callable

import polars as pl
import pytest
from faulty_influxdb import CALLS, DROPPED, QUERY, OpenStore, every_call
from misbehaving_proxy import Fault, MisbehavingProxy
from tenacity import wait_fixed

from candle_ingestor.stores.base import (
    StoreRefusedError,
    StoreUnavailableError,
)
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore

UNAVAILABLE = Fault(status=503, body=b'{"code":"unavailable","message":"try later"}')
LOST_ANSWER = Fault(is_forwarded=True, is_dropped=True)


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
