"""Records of imported files as points. Pure."""

from __future__ import annotations

import polars as pl

from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.stores.imported_file_fields import (
    NUMBERS,
    SERIES,
    TEXTS,
    file_of,
    series_fields,
    value_fields,
)
from candle_ingestor.stores.influxdb.lines import IMPORTED_FILES, point_line, tag_text

_TAGS = ("path", *SERIES)

COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys((*_TAGS, *TEXTS), pl.String()),
    **dict.fromkeys(NUMBERS, pl.Int64()),
}
"""The tags and fields of a point, as a query answers them."""


def line_of(file: ImportedFile, time_ns: int) -> str:
    """The line of a record; the same path and series at the same time is the same point."""
    fields = {name: value for name, value in value_fields(file).items() if value is not None}
    # What the record before had in a field that this one lacks would stay.
    fields.setdefault("error", "")
    fields.setdefault("first_ms", _NONE_MS)
    fields.setdefault("last_ms", _NONE_MS)
    return point_line(IMPORTED_FILES, tags_of(file), fields, time_ns)


def tags_of(file: ImportedFile) -> dict[str, str]:
    """What tells the record of a file from all others."""
    return {"path": file.path, **series_fields(file)}


def of_rows(rows: pl.DataFrame) -> list[ImportedFile]:
    """The records of an answer, by path and series.

    Raises:
        RecordError: if one is no record.
    """
    return sorted(
        (file_of(_values(row)) for row in rows.iter_rows(named=True)),
        key=lambda file: (file.path, str(file.series or "")),
    )


_NONE_MS = -1


def _values(row: dict[str, str | int | None]) -> dict[str, str | int | None]:
    tags = {name: tag_text(str(row[name] or "")) for name in _TAGS}
    times = {name: None if row[name] == _NONE_MS else row[name] for name in ("first_ms", "last_ms")}
    return {**row, **tags, **times, "error": row["error"] or None}
