"""The state of services (rule C3) as points."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from candle_ingestor.stores.influxdb import queries
from candle_ingestor.stores.influxdb.bucket import EPOCH_NS, StoreBucket
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import PROCESSING_STATE, point_line, tag_text

_COLUMNS: dict[str, pl.DataType] = {
    "time": pl.Int64(),
    "key": pl.String(),
    "value": pl.Int64(),
}


class ProcessingState:
    """The measurement of states in a bucket; a key is written over its newest point."""

    def __init__(self, http: InfluxDbHttp, bucket: StoreBucket) -> None:
        self._http = http
        self._bucket = bucket
        self._times_ns: dict[str, dict[str, int]] = {}

    def read(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key, the newest of each.

        Raises:
            StoreRefusedError: if a point lacks its value.
        """
        rows = self._bucket.rows(queries.state_query(service_identifier), _COLUMNS)
        if any(column.null_count() for column in rows):
            raise self._bucket.refused(f"processing_state of {service_identifier!r} lacks a value")
        times_ns, keys, values = (rows[name].to_list() for name in _COLUMNS)
        names = [tag_text(key) for key in keys]
        self._times_ns[service_identifier] = dict(zip(names, times_ns, strict=True))
        return dict(zip(names, values, strict=True))

    def write(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""
        if not state:
            return
        if service_identifier not in self._times_ns:
            self.read(service_identifier)
        known_ns = self._times_ns[service_identifier]
        timeless_ns = self._bucket.timeless_ns
        times_ns = {key: max(known_ns.get(key, EPOCH_NS), timeless_ns) for key in state}
        lines = [
            point_line(
                PROCESSING_STATE,
                _tags(service_identifier, key),
                {"last_processed_timestamp_ms": value},
                times_ns[key],
            )
            for key, value in state.items()
        ]
        self._bucket.write([line] for line in lines)
        known_ns |= times_ns

    def remove(self, service_identifier: str, keys: Collection[str]) -> None:
        """Removes these keys, where they are there."""
        for key in keys:
            predicate = queries.delete_predicate(PROCESSING_STATE, _tags(service_identifier, key))
            self._http.delete(predicate, queries.FIRST_NS, queries.LAST_NS)
            self._times_ns.get(service_identifier, {}).pop(key, None)


def _tags(service_identifier: str, key: str) -> dict[str, str]:
    return {"service_identifier": service_identifier, "key": key}
