"""Line protocol, made from columns. Pure."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS
from candle_ingestor.model.series import Series

CANDLES = "candles"
EXCHANGE_CANDLES = "exchange_candles"
PROCESSING_STATE = "processing_state"
CANDLE_COVERAGE = "candle_coverage"
INGESTION_RUNS = "ingestion_runs"
IMPORTED_FILES = "imported_files"

LINES_PER_REQUEST = 5_000
_BYTES_PER_REQUEST = 4_000_000

_NOT_IN_A_TAG = re.compile(r"[\x00-\x1f\x7f\\%]")
_ENCODED = re.compile(r"%([0-9A-F]{2})")
_TAG_SEPARATORS = re.compile(r"([,= ])")


def tag_value(text: str) -> str:
    """The text as it is kept in a tag; `tag_text` is the way back.

    Control characters and backslashes, which line protocol cannot carry in a tag, and `%` become
    `%XX`; all else stays.

    Raises:
        ValueError: if the text is empty, since InfluxDB knows no empty tag.
    """
    if not text:
        raise ValueError("InfluxDB keeps no empty tag value")
    return _NOT_IN_A_TAG.sub(lambda found: f"%{ord(found[0]):02X}", text)


def tag_text(value: str) -> str:
    """The text that `tag_value` made the tag value of."""
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), value)


def measurement_of(series: Series) -> str:
    """Where the candles of a series are kept."""
    return CANDLES if series.is_merged else EXCHANGE_CANDLES


def tags_of(series: Series) -> dict[str, str]:
    """The tags of a series' candles. The merged series is told by its measurement alone."""
    tags = {"currency_pair": str(series.symbol), "timeframe": str(series.timeframe)}
    return tags if series.is_merged else {"exchange": series.exchange, **tags}


def candle_lines(series: Series, candles: pl.DataFrame) -> pl.Series:
    """A line a candle, its time in ms.

    `candles` has the columns of `schema_of(series)` without nulls. Floats are written with the
    fewest digits that stand for them alone, and always as floats.
    """
    parts = [pl.lit(_head(measurement_of(series), tags_of(series)))]
    for position, name in enumerate(VALUE_COLUMNS):
        parts += [pl.lit(f"{',' if position else ' '}{name}="), pl.col(name).cast(pl.String())]
    if series.is_merged:
        sources = pl.col("source_exchanges")
        for character in ("\\", '"'):
            sources = sources.str.replace_all(character, "\\" + character, literal=True)
        parts += [pl.lit(",exchange_count="), pl.col("exchange_count").cast(pl.String())]
        parts += [pl.lit('i,source_exchanges="'), sources, pl.lit('"')]
    parts += [pl.lit(" "), pl.col("open_time_ms").cast(pl.String())]
    return candles.select(pl.concat_str(parts).alias("line"))["line"]


def point_line(
    measurement: str,
    tags: Mapping[str, str],
    fields: Mapping[str, int | float | str],
    time_ns: int,
) -> str:
    """The line of one point. Integers are written to integer fields, floats to float fields.

    Raises:
        ValueError: if a tag is empty.
    """
    values = ",".join(f"{name}={_field_value(value)}" for name, value in fields.items())
    return f"{_head(measurement, tags)} {values} {time_ns}"


def batches(groups: Iterable[list[str]]) -> Iterator[list[str]]:
    """The lines in requests of bounded size; lines of one group are never parted."""
    batch: list[str] = []
    size = 0
    for lines in groups:
        group_size = sum(map(len, lines))
        is_full = size + group_size > _BYTES_PER_REQUEST
        if batch and (is_full or len(batch) + len(lines) > LINES_PER_REQUEST):
            yield batch
            batch, size = [], 0
        batch += lines
        size += group_size
    if batch:
        yield batch


def compressed(lines: pl.Series) -> bytes:
    """The lines as gzip. Polars compresses while it joins them, at two thirds of zlib's cost."""
    buffer = io.BytesIO()
    lines.to_frame().write_csv(
        buffer,
        include_header=False,
        quote_style="never",
        compression="gzip",
        compression_level=1,
        check_extension=False,
    )
    return buffer.getvalue()


def _head(measurement: str, tags: Mapping[str, str]) -> str:
    # Sorted, as InfluxDB keeps them.
    pairs = (f",{name}={_escaped_tag(text)}" for name, text in sorted(tags.items()))
    return measurement + "".join(pairs)


def _escaped_tag(text: str) -> str:
    return _TAG_SEPARATORS.sub(r"\\\1", tag_value(text))


def _field_value(value: int | float | str) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return f"{value}i" if isinstance(value, int) else repr(value)
