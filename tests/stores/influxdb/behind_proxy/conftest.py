from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from faulty_influxdb import OpenStore
from influxd import InfluxServer
from misbehaving_proxy import MisbehavingProxy
from tenacity import wait_fixed

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore


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
