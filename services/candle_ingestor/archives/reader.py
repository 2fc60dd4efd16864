"""Reads the rows of one archive file, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from candle_ingestor.archives.blocks import blocks_of
from candle_ingestor.archives.containers import CandleFile
from candle_ingestor.archives.layout import Layout
from candle_ingestor.archives.rows import rows_of, without_header
from candle_ingestor.exchanges.rows import RawRows


@dataclass(frozen=True)
class RowBlock:
    """Some 100,000 rows of a file, each with its Line as the raw row; `size_bytes` as text."""

    rows: RawRows
    size_bytes: int


def read_rows(file: CandleFile, layout: Layout) -> Iterator[RowBlock]:
    """The rows of the file in its order.

    Raises:
        ArchiveError: if it cannot be read to its end.
    """
    with file.opened() as stream:
        for block in blocks_of(stream):
            lines = without_header(block, layout) if block.first_line == 1 else block
            if lines is not None:
                yield RowBlock(rows_of(lines, layout), len(block.data))
