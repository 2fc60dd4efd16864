"""What differs between the candles that a span is to hold and those that are stored. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Difference:
    """What is to be written and removed.

    Attributes:
        candles: those to insert or replace; None for none.
        deleted: open times to remove.
        new, revised: how many are inserted, and how many replaced or removed.
    """

    candles: pl.DataFrame | None = None
    deleted: tuple[int, ...] = ()
    new: int = 0
    revised: int = 0


NO_DIFFERENCE = Difference()


def compare(candles: pl.DataFrame, stored: pl.DataFrame) -> Difference:
    """The difference between two ascending frames of the same columns, by open time."""
    if stored.is_empty():
        return NO_DIFFERENCE if candles.is_empty() else Difference(candles, new=candles.height)
    # What is stored is nearly always the first few candles of the page, unchanged.
    known = bisect_right(candles["open_time_ms"], stored["open_time_ms"][-1])
    shown, fresh = candles.slice(0, known), candles.slice(known)
    if shown.equals(stored):
        return NO_DIFFERENCE if fresh.is_empty() else Difference(fresh, new=fresh.height)
    differing = shown.join(stored, on=shown.columns, how="anti", maintain_order="left")
    revised = differing.join(stored, on="open_time_ms", how="semi").height
    gone = stored.join(shown, on="open_time_ms", how="anti")["open_time_ms"].to_list()
    to_write = pl.concat([differing, fresh])
    return Difference(
        candles=None if to_write.is_empty() else to_write,
        deleted=tuple(gone),
        new=to_write.height - revised,
        revised=revised + len(gone),
    )
