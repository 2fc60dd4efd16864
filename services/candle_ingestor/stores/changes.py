"""What a batch of changes must be before any of it is written. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS, are_finite, schema_of
from candle_ingestor.model.series import Series
from candle_ingestor.stores.base import SeriesChange, StoreRefusedError


def check_changes(changes: Sequence[SeriesChange]) -> None:
    """Proves that the batch can be stored whole.

    Raises:
        ValueError: if a series has two changes, or candles have other columns than
            `schema_of(series)`.
        StoreRefusedError: if a value is missing or no finite number.
    """
    if len({change.series for change in changes}) < len(changes):
        raise ValueError("a series has more than one change in a batch")
    for change in changes:
        if change.candles is not None:
            _check_candles(change.series, change.candles)


def _check_candles(series: Series, candles: pl.DataFrame) -> None:
    if dict(candles.schema) != schema_of(series):
        raise ValueError(f"candles of {series} have other columns: {dict(candles.schema)}")
    is_complete = not any(column.null_count() for column in candles)
    if not (is_complete and all(are_finite(candles[name]) for name in VALUE_COLUMNS)):
        raise StoreRefusedError(
            f"candles of {series} hold a value that is missing or no finite number; "
            "none of them was written"
        )
    if series.is_merged and not (candles["source_exchanges"] != "").all():
        raise StoreRefusedError(
            f"candles of {series} hold one of no exchange; none of them was written"
        )
