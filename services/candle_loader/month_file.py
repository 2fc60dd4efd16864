"""Reading of one month's CSV file."""

from __future__ import annotations

import polars as pl

from candle_loader.candles import COLUMNS
from candle_loader.errors import LoaderError
from candle_loader.kept import keep_columns, kept_columns
from candle_loader.manifest import Month
from candle_loader.times import to_text
from candle_loader.verified import read_with_sha256

_HEADER = "Timestamp,Open,High,Low,Close,Volume"
_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_REMEDY = "restore the file or let the job export it again"


class MismatchError(LoaderError):
    """A file that is not the one its manifest describes: damaged, or replaced a moment ago."""


def read_month(month: Month, verify: bool) -> pl.DataFrame:
    """The month's candles, columns COLUMNS as Int64, ascending.

    Those of a complete month are kept for the next time, once its digest is verified.

    Args:
        verify: whether to compare the file's sha256 with the manifest's; all else always is.

    Raises:
        MismatchError: if the file is not the one that the manifest describes.
        LoaderError: if it cannot be read or is malformed.
    """
    kept = kept_columns(month.path, month.sha256, COLUMNS) if month.is_complete else None
    if kept is not None and kept.height == month.rows:
        return kept
    try:
        file = read_with_sha256(month.path) if verify else None
        content = month.path.read_bytes() if file is None else file.content
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
    if month.is_complete and file is not None and file.look is not None:
        keep_columns(month.path, file.look, file.sha256, frame)
    return frame


def _parsed(month: Month, content: bytes) -> pl.DataFrame:
    header, _, _ = content.partition(b"\n")
    if header != _HEADER.encode():
        raise LoaderError(
            f"{month.path} does not begin with the header {_HEADER} but with "
            f"{header[:100]!r}; {_REMEDY}"
        )
    if len(content) <= len(header) + 1:
        return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Int64))
    schema = {"timestamp": pl.String, **dict.fromkeys(COLUMNS[1:], pl.Int64)}
    try:
        rows = pl.read_csv(content, has_header=False, skip_rows=1, schema=schema, quote_char=None)
        # No time comes twice, so that a cache of times would only cost.
        times = rows["timestamp"].str.to_datetime(
            _TIMESTAMP_FORMAT, time_unit="ms", strict=True, cache=False
        )
    except pl.exceptions.PolarsError as error:
        cause = str(error).partition("\n")[0]
        raise LoaderError(f"{month.path} is malformed: {cause}; {_REMEDY}") from error
    frame = pl.DataFrame([times.cast(pl.Int64).alias("timestamp_ms"), *rows.get_columns()[1:]])
    _check(month, frame)
    return frame


def _check(month: Month, frame: pl.DataFrame) -> None:
    if any(column.null_count() for column in frame):
        raise LoaderError(f"{month.path} has a row with an empty field; {_REMEDY}")
    times = frame["timestamp_ms"]
    if not (times.slice(1) > times.head(-1)).all():
        raise LoaderError(f"{month.path} does not ascend by time; {_REMEDY}")
    for time_ms in (*times.head(1), *times.tail(1)):
        if not month.start_ms <= time_ms < month.end_ms:
            raise LoaderError(f"{month.path} holds {to_text(time_ms)}, of another month; {_REMEDY}")
