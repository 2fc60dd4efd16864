"""Per-ticker state as the service's outside world expects it (rule C3). Pure."""

from __future__ import annotations

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series


def backfill_key(merged: Series) -> str:
    """The key of how far the history has come."""
    return f"{merged.symbol}-backfill"


def catch_up_key(merged: Series) -> str:
    """The key of how near the present is."""
    return f"{merged.symbol}-catch_up"


def state_of(
    merged: Series,
    covered: IntervalSet,
    not_listed_yet: IntervalSet,
    backfill_start_ms: int | None,
    *,
    is_bounded: bool,
) -> dict[str, int]:
    """`last_processed_timestamp_ms` by key, derived from the merged coverage.

    The value is the open time of the last candle length that is settled: for `backfill` the one
    before the first gap from `backfill_start_ms` on, for `catch_up` the newest. Of a series of
    which nothing is covered there is no state. Minutes `not_listed_yet` on any exchange count as
    settled.
    """
    if not covered:
        return {}
    length_ms = merged.timeframe.duration_ms
    state = {}
    if backfill_start_ms is not None:
        start_ms = merged.timeframe.ceil_ms(backfill_start_ms)
        known = (covered | not_listed_yet) & IntervalSet.of(start_ms, covered.end_ms)
        has_start = bool(known) and known.start_ms == start_ms
        end_ms = known.intervals[0].end_ms if has_start else start_ms
        state[backfill_key(merged)] = end_ms - length_ms
    if not is_bounded:
        state[catch_up_key(merged)] = covered.end_ms - length_ms
    return state


def state_of_nothing(merged: Series, start_ms: int) -> dict[str, int]:
    """The state of a ticker of which nothing is covered from `start_ms` on."""
    value = merged.timeframe.ceil_ms(start_ms) - merged.timeframe.duration_ms
    return {backfill_key(merged): value, catch_up_key(merged): value}
