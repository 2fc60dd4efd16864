"""Time that nothing is known of, and what it leaves of a grid of candles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from candle_loader.errors import LoaderError
from candle_loader.times import ceil_to_grid, floor_to_grid, to_text

NOT_EXPORTED = "not_exported"
"""The reason of a gap that lies outside what the manifest tells of."""

_NEVER_MS = 2**62


class Gap(NamedTuple):
    """A part of the time, `[start_ms, end_ms)` in UTC ms, that nothing is known of, and why."""

    start_ms: int
    end_ms: int
    reason: str

    def __str__(self) -> str:
        return f"{to_text(self.start_ms)} to {to_text(self.end_ms)} ({self.reason})"


class Standing(NamedTuple):
    """How candles of a grid stand to gaps, one value a candle.

    Attributes:
        is_known: Boolean; no gap touches the candle's span.
        stretch: UInt32, ascending; candles of one number have no gap between them.
    """

    is_known: pl.Series
    stretch: pl.Series


def standing(times_ms: pl.Series, length_ms: int, gaps: Sequence[Gap]) -> Standing:
    """How the candles that open at these times stand to the gaps, which ascend."""
    if not gaps:
        count = len(times_ms)
        return Standing(
            pl.repeat(True, count, dtype=pl.Boolean, eager=True),
            pl.repeat(0, count, dtype=pl.UInt32, eager=True),
        )
    ends = pl.Series([gap.end_ms for gap in gaps], dtype=pl.Int64)
    # A stretch ends with the first gap that ends after the candle opens.
    stretch = ends.search_sorted(times_ms, side="right")
    starts = pl.Series([*(gap.start_ms for gap in gaps), _NEVER_MS], dtype=pl.Int64)
    return Standing(starts.gather(stretch) >= times_ms + length_ms, stretch)


def gaps_within(gaps: Iterable[Gap], start_ms: int, end_ms: int) -> tuple[Gap, ...]:
    """The parts of the gaps that lie in `[start_ms, end_ms)`."""
    cut = (Gap(max(gap[0], start_ms), min(gap[1], end_ms), gap.reason) for gap in gaps)
    return tuple(gap for gap in cut if gap.start_ms < gap.end_ms)


def joined(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """The gaps, those that touch and have the same reason as one; they ascend and may overlap.

    Of a time that two claim, the earlier gap's reason is kept.
    """
    result: list[Gap] = []
    for gap in gaps:
        start_ms = max(gap.start_ms, result[-1].end_ms) if result else gap.start_ms
        if start_ms >= gap.end_ms:
            continue
        if result and (result[-1].end_ms, result[-1].reason) == (start_ms, gap.reason):
            result[-1] = result[-1]._replace(end_ms=gap.end_ms)
        else:
            result.append(Gap(start_ms, gap.end_ms, gap.reason))
    return tuple(result)


def widened(gaps: Iterable[Gap], length_ms: int) -> tuple[Gap, ...]:
    """The candles of that length which the gaps touch, as gaps."""
    return joined(
        Gap(floor_to_grid(gap.start_ms, length_ms), ceil_to_grid(gap.end_ms, length_ms), gap.reason)
        for gap in gaps
    )


def incomplete(series: object, start_ms: int, end_ms: int, gaps: Sequence[Gap]) -> LoaderError:
    """The error for a range with gaps where none is allowed."""
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    shown = ", ".join(map(str, gaps[:3]))
    return LoaderError(
        f"{series} is not complete from {to_text(start_ms)} to {to_text(end_ms)}: {shown}{more}; "
        "let the job fill the gaps, or load without require_complete"
    )
