"""The bucket that a store works in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.errors import no_bucket
from candle_ingestor.stores.influxdb.http import Bucket, InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import batches
from candle_ingestor.stores.influxdb.torn import TornReadError
from candle_ingestor.stores.record_fields import RecordError

EPOCH_NS = 0
FAR_FUTURE_NS = 7_258_118_400_000_000_000
"""Times of records that are not of a time: 1970, and 2200 where retention would drop 1970."""


class StoreBucket:
    """One bucket, looked up when something of it is first asked. Threads may share it."""

    def __init__(self, http: InfluxDbHttp, *, may_create: bool) -> None:
        self._http = http
        self._may_create = may_create
        self._found: Bucket | None = None

    def look_up(self) -> None:
        """Looks the bucket up; one that is not there is made, if that is allowed."""
        self._found = self._http.find_bucket()
        if self._found is None and self._may_create:
            self._create()

    @property
    def retention_ms(self) -> int | None:
        """How long points are kept; None is forever.

        Raises:
            StoreRefusedError: if there is no such bucket.
        """
        if self._found is None:
            self._found = self._http.find_bucket()
            if self._found is None:
                raise no_bucket(self._http.connection)
        return self._found.retention_ms

    @property
    def timeless_ns(self) -> int:
        """The time of a record that is not of a time, and that the bucket keeps."""
        return EPOCH_NS if self.retention_ms is None else FAR_FUTURE_NS

    def rows(self, statement: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """What a query answers, in these columns."""
        return self._http.query(statement, lambda body: parse_answer(body, columns))

    def write(self, groups: Iterable[list[str]]) -> None:
        """Writes lines with times in ns; those of a group go in one request."""
        for lines in batches(groups):
            self._http.write(pl.Series(lines), "ns")

    @contextmanager
    def naming_damage(self) -> Iterator[None]:
        """What cannot be read inside is a refusal that names the server and what to do."""
        try:
            yield
        except TornReadError as error:
            raise self.refused(
                f"{error}; delete these points, or restore the bucket from a backup"
            ) from error
        except RecordError as error:
            raise self.refused(str(error)) from error

    def refused(self, message: str) -> StoreRefusedError:
        """A refusal that names the server."""
        return StoreRefusedError(f"{self._http.connection}: {message}")

    def _create(self) -> None:
        try:
            self._http.create_bucket()
        except StoreRefusedError:
            # Another run, started at the same moment, may have made it.
            if self._http.find_bucket() is None:
                raise
