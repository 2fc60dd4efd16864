"""Records of imported files as SQLite rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.stores.imported_file_fields import (
    NUMBERS,
    SERIES,
    TEXTS,
    file_of,
    series_fields,
    value_fields,
)
from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.sqlite.errors import refused

_COLUMNS = ("path", *SERIES, *TEXTS, *NUMBERS)

SELECT = f"SELECT {', '.join(_COLUMNS)} FROM imported_files ORDER BY path, {', '.join(SERIES)}"
INSERT = (
    f"INSERT OR REPLACE INTO imported_files ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)


DELETE = (
    f"DELETE FROM imported_files WHERE {' AND '.join(f'{name} = ?' for name in ('path', *SERIES))}"
)


def key_of(file: ImportedFile) -> tuple[str, ...]:
    """The values that DELETE takes."""
    names = series_fields(file)
    return (file.path, *(names.get(name, "") for name in SERIES))


def row_of(file: ImportedFile) -> tuple[Any, ...]:
    """The values that INSERT takes."""
    values = {"path": file.path, **series_fields(file), **value_fields(file)}
    return tuple(values.get(name, "") for name in _COLUMNS)


def of_rows(rows: Iterable[tuple[Any, ...]], description: str) -> list[ImportedFile]:
    """The records of the rows that SELECT answers.

    Raises:
        StoreRefusedError: if one is no record.
    """
    try:
        return [file_of(dict(zip(_COLUMNS, row, strict=True))) for row in rows]
    except RecordError as error:
        raise refused(description, str(error)) from error
