"""Rows of an archive as candle frames, many at a time. Pure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import polars as pl
from polars.exceptions import PolarsError

from candle_ingestor.archives.blocks import Block
from candle_ingestor.archives.layout import UNITS_PER_MS, Layout
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.model.candles import EXCHANGE_CANDLES

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AROUND_FIELDS = ' \t\r"'
_LEAST_US = 10**14
"""As ms it is the year 5138, as us 1973."""


class Line(NamedTuple):
    """A line as the file has it; `number` is counted from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Lines(Sequence[Line]):
    """The lines of a block that are not empty, looked up when one of them is asked for."""

    block: Block

    @cached_property
    def _lines(self) -> list[tuple[int, bytes]]:
        texts = self.block.data.splitlines()
        return [each for each in enumerate(texts, self.block.first_line) if each[1].strip()]

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number, text = self._lines[index]
        return Line(number, text.decode("utf-8", errors="replace"))


def rows_of(block: Block, layout: Layout) -> RawRows:
    """The rows of a block, one a line that is not empty, with its Line as the raw row.

    A field that is missing or no number is null; of a row of another width the volume is. Open
    times are in ms; one in a finer unit that is no whole ms is null.
    """
    lines = Lines(block)
    frame = _read(block.data, layout)
    if frame is None:
        frame = _read_line_by_line(lines, layout)
    return RawRows(frame.with_columns(_in_ms(layout.time_unit)), lines)


def without_header(block: Block, layout: Layout) -> Block | None:
    """A file's first block without its header, and without a byte order mark; None if that is all.

    Where a layout may have one, a first line without a single number is a header.
    """
    data = block.data.removeprefix(_BYTE_ORDER_MARK)
    line, _, rest = data.partition(b"\n")
    if not layout.may_have_header or any(
        map(_is_number, line.decode("utf-8", errors="replace").split(","))
    ):
        return Block(data, block.first_line)
    return Block(rest, block.first_line + 1) if rest else None


def _read(data: bytes, layout: Layout) -> pl.DataFrame | None:
    """The columns as they stand, where every line has all of them; None where one may not."""
    number = data.count(b"\n") + (not data.endswith(b"\n"))
    if layout.width is not None and data.count(b",") != number * (layout.width - 1):
        return None
    fields = sorted(zip(layout.positions, EXCHANGE_CANDLES.items(), strict=True))
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            columns=[position for position, _ in fields],
            new_columns=[name for _, (name, _) in fields],
            schema_overrides=[dtype for _, (_, dtype) in fields],
            quote_char=None,
            extra_columns="ignore",
        )
    except PolarsError:
        return None
    is_whole = frame.height == number and not any(column.null_count() for column in frame)
    return frame.select(EXCHANGE_CANDLES.keys()) if is_whole else None


def _read_line_by_line(lines: Lines, layout: Layout) -> pl.DataFrame:
    texts = [line.text for line in lines]
    fields = pl.Series("line", texts, dtype=pl.String()).str.split(",")
    columns = {}
    for name, position in zip(EXCHANGE_CANDLES, layout.positions, strict=True):
        text = fields.list.get(position, null_on_oob=True).str.strip_chars(_AROUND_FIELDS)
        columns[name] = text.cast(pl.Float64, strict=False)
        if name == "open_time_ms":
            # Some programs write whole seconds as 1672531200.0.
            whole = columns[name].set(columns[name] != columns[name].floor(), None)
            exact = text.cast(pl.Int64, strict=False)
            columns[name] = exact.fill_null(whole.cast(pl.Int64, strict=False))
    if layout.width is not None:
        columns["volume"] = columns["volume"].set(fields.list.len() != layout.width, None)
    return pl.DataFrame(columns, schema=EXCHANGE_CANDLES)


def _in_ms(unit: str | None) -> pl.Expr:
    time = pl.col("open_time_ms")
    if unit is None:
        return pl.when(time >= _LEAST_US).then(_divided(time, 1000)).otherwise(time)
    units = UNITS_PER_MS[unit]
    return time * round(1 / units) if units <= 1 else _divided(time, round(units))


def _divided(time: pl.Expr, units: int) -> pl.Expr:
    return pl.when(time % units == 0).then(time // units)


def _is_number(text: str) -> bool:
    try:
        float(text.strip(_AROUND_FIELDS))
    except ValueError:
        return False
    return True
