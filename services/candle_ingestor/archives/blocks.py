"""Cuts a stream into blocks of whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from candle_ingestor.archives.errors import ArchiveError

BLOCK_BYTES = 8 << 20
"""Some 100,000 lines."""

LONGEST_LINE_BYTES = 1 << 16


@dataclass(frozen=True)
class Block:
    """Whole lines; `first_line` is the number of the first one, counted from 1."""

    data: bytes
    first_line: int


def blocks_of(stream: IO[bytes], block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The stream's lines in blocks of about that size.

    Raises:
        ArchiveError: if a line is longer than any row of candles.
    """
    first_line = 1
    data = stream.read(block_bytes)
    while data:
        following = stream.read(block_bytes)
        end = data.rfind(b"\n") + 1 if following else len(data)
        rest = data[end:]
        if len(rest) > LONGEST_LINE_BYTES:
            line = first_line + data.count(b"\n")
            raise ArchiveError(f"line {line:,} is longer than any row of candles; it is no CSV")
        if end:
            yield Block(data[:end], first_line)
            first_line += data.count(b"\n", 0, end)
        data = rest + following
