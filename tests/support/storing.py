"""Short ways to put something into a store."""

from collections.abc import Iterable, Mapping

import polars as pl

from candle_ingestor.model.gaps import Reasons
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, Coverage, SeriesRecord
from candle_ingestor.stores.base import SeriesChange, Store


def put(
    store: Store,
    series: Series,
    candles: pl.DataFrame | None = None,
    record: SeriesRecord = NOTHING_KNOWN,
) -> None:
    store.replace([SeriesChange(series, record, candles)])


def remove(store: Store, series: Series, open_times_ms: Iterable[int]) -> None:
    store.replace([SeriesChange(series, NOTHING_KNOWN, deleted=list(open_times_ms))])


def keep(store: Store, records: Mapping[Series, SeriesRecord]) -> None:
    store.replace([SeriesChange(series, record) for series, record in records.items()])


def covering(
    covered: IntervalSet, provisional: IntervalSet = EMPTY, reasons: Reasons | None = None
) -> SeriesRecord:
    return SeriesRecord(Coverage(covered, provisional, reasons or {}))
