"""Reading of one month's file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from candle_loader.candles import COLUMNS
from candle_loader.csv_text import parse_csv
from candle_loader.errors import LoaderError
from candle_loader.kept import are_kept, keep_columns, kept_columns
from candle_loader.manifest import Month
from candle_loader.parquet_table import parse_parquet
from candle_loader.times import to_text
from candle_loader.verified import read_with_sha256

_REMEDY = "restore the file or let the job export it again"


class MismatchError(LoaderError):
    """A file that is not the one its manifest describes: damaged, or replaced a moment ago."""


def is_quick(month: Month) -> bool:
    """Whether the month's columns are kept, so that reading it takes no time worth a thread."""
    return _may_keep(month) and are_kept(month.path, month.sha256)


def read_month(month: Month, verify: bool) -> pl.DataFrame:
    """The month's candles, columns COLUMNS as Int64, ascending.

    Those of a complete month of text are kept for the next time, once its digest is verified.

    Args:
        verify: whether to compare the file's sha256 with the manifest's; all else always is.

    Raises:
        MismatchError: if the file is not the one that the manifest describes.
        LoaderError: if it cannot be read or is malformed.
    """
    may_keep = _may_keep(month)
    kept = kept_columns(month.path, month.sha256, COLUMNS) if may_keep else None
    if kept is not None and kept.height == month.rows:
        return kept
    try:
        return _read(month, month.path, verify)
    except MismatchError as error:
        # While a month is replaced, its former file is there until the manifest tells of the other.
        try:
            former = month.path.with_name(f".{month.path.name}.former")
            return _read(month, former, verify=True)
        except MismatchError:
            raise error from None


def _read(month: Month, path: Path, verify: bool) -> pl.DataFrame:
    try:
        file = read_with_sha256(path, month.content_bytes) if verify else None
        content = path.read_bytes()[: month.content_bytes] if file is None else file.content
    except FileNotFoundError as error:
        raise MismatchError(f"{month.path} is missing; {_REMEDY}") from error
    except OSError as error:
        raise LoaderError(f"cannot read {month.path}: {error.strerror or error}") from error
    if file is not None and file.sha256 != month.sha256:
        raise MismatchError(
            f"{month.path} does not have the sha256 that its manifest states; {_REMEDY}"
        )
    frame = _parsed(month, content)
    if frame.height != month.rows:
        raise MismatchError(
            f"{month.path} has {frame.height} rows and its manifest states {month.rows}; {_REMEDY}"
        )
    if _may_keep(month) and path == month.path and file is not None and file.look is not None:
        keep_columns(month.path, file.look, file.sha256, frame)
    return frame


def _parsed(month: Month, content: bytes) -> pl.DataFrame:
    try:
        frame = parse_csv(content) if _is_text(month) else parse_parquet(content)
    except ValueError as error:
        raise LoaderError(f"{month.path} {error}; {_REMEDY}") from error
    except pl.exceptions.PolarsError as error:
        cause = str(error).partition("\n")[0]
        raise LoaderError(f"{month.path} is malformed: {cause}; {_REMEDY}") from error
    _check(month, frame)
    return frame


def _may_keep(month: Month) -> bool:
    return month.is_complete and _is_text(month)


def _is_text(month: Month) -> bool:
    return month.path.suffix == ".csv"


def _check(month: Month, frame: pl.DataFrame) -> None:
    if any(column.null_count() for column in frame):
        raise LoaderError(f"{month.path} has a row with an empty field; {_REMEDY}")
    times = frame["timestamp_ms"]
    if not (times.slice(1) > times.head(-1)).all():
        raise LoaderError(f"{month.path} does not ascend by time; {_REMEDY}")
    for time_ms in (*times.head(1), *times.tail(1)):
        if not month.start_ms <= time_ms < month.end_ms:
            raise LoaderError(f"{month.path} holds {to_text(time_ms)}, of another month; {_REMEDY}")
