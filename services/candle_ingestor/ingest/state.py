"""Per-ticker state as the service's outside world expects it (rule C3). Pure but for reads."""

from __future__ import annotations

from collections.abc import Mapping

from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.plan import Window
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.intervals import IntervalSet


def state_of(ticker: Ticker, covered: IntervalSet, window: Window) -> dict[str, int]:
    """`last_processed_timestamp_ms` by key, derived from the merged coverage.

    The value is the open time of the last candle length that is settled: for `backfill` up to the
    first gap from the window's start on, for `catch_up` the newest. A key about which nothing is
    known is left out.
    """
    length_ms = ticker.merged.timeframe.duration_ms
    state = {}
    if window.start_ms is not None:
        known = covered & IntervalSet.of(window.start_ms, window.end_ms)
        start_ms = ticker.merged.timeframe.ceil_ms(window.start_ms)
        if known and known.start_ms == start_ms:
            state[f"{ticker.symbol}-backfill"] = known.intervals[0].end_ms - length_ms
    if covered and not window.is_bounded:
        state[f"{ticker.symbol}-catch_up"] = covered.end_ms - length_ms
    return state


def honoured_catch_up_ms(ledger: Ledger, ticker: Ticker, state: Mapping[str, int]) -> int | None:
    """Where catch-up stands by the state of an older service, of which there is no coverage."""
    if any(ledger.record(source).covered for source in ticker.sources):
        return None
    return state.get(f"{ticker.symbol}-catch_up")
