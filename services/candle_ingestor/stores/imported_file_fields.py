"""Records of imported files as named values, the same in every store. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candle_ingestor.model.imported_file import FileStatus, ImportedFile
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.record_fields import RecordError

SERIES = ("exchange", "currency_pair", "timeframe")
TEXTS = ("sha256", "status", "read_as", "error")
NUMBERS = ("size_bytes", "candles", "new", "differing", "first_ms", "last_ms", "imported_ms")


def series_fields(file: ImportedFile) -> dict[str, str]:
    """The names of its series; none where that could not be told."""
    series = file.series
    if series is None:
        return {}
    names = (series.exchange, str(series.symbol), str(series.timeframe))
    return dict(zip(SERIES, names, strict=True))


def value_fields(file: ImportedFile) -> dict[str, str | int | None]:
    """All that is not its path or its series."""
    return {
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "status": file.status.value,
        "read_as": file.read_as,
        "candles": file.rows,
        "new": file.new,
        "differing": file.differing,
        "first_ms": file.first_ms,
        "last_ms": file.last_ms,
        "imported_ms": file.imported_ms,
        "error": file.error,
    }


def file_of(values: Mapping[str, Any]) -> ImportedFile:
    """The record of these values; those of its series are empty or missing where it has none.

    Raises:
        RecordError: if they make none.
    """
    try:
        names = [str(values.get(name) or "") for name in SERIES]
        series = None
        if any(names):
            series = Series(names[0], Symbol.parse(names[1]), Timeframe.parse(names[2]))
        return ImportedFile(
            path=str(values["path"]),
            sha256=str(values["sha256"]),
            size_bytes=int(values["size_bytes"]),
            series=series,
            status=FileStatus(values["status"]),
            read_as=str(values["read_as"] or ""),
            rows=int(values["candles"]),
            new=int(values["new"]),
            first_ms=values["first_ms"],
            last_ms=values["last_ms"],
            differing=int(values["differing"]),
            imported_ms=int(values["imported_ms"]),
            error=values["error"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"a record of imported_files cannot be read: {error}") from error
