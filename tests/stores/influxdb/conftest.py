from collections.abc import Iterator
from contextlib import closing

import pytest

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore


@pytest.fixture
def store(bucket: InfluxDbConnection) -> Iterator[InfluxDbStore]:
    with closing(InfluxDbStore(bucket, patience=Patience(sleep=lambda _: None))) as store:
        yield store
