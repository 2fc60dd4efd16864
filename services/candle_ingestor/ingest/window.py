"""What a configuration wants of a symbol. Pure."""

from __future__ import annotations

from candle_ingestor.config import Config
from candle_ingestor.ingest.plan import Window
from candle_ingestor.symbols.requests import SymbolRequest
from candle_ingestor.symbols.start_date import Day, DayError

FRESH_END_MS = 3_600_000
"""The last candles of a bounded download that ended this recently are still read again (T2)."""


def window_of(config: Config, request: SymbolRequest, now_ms: int) -> Window:
    """The window of a run that started at `now_ms`; the symbol's own history start counts."""
    start_ms = config.backfill_start_ms
    if start_ms is not None and request.history_start is not None:
        start_ms = _history_start_ms(request.history_start, now_ms)
    closed_end_ms = config.timeframe.closed_end_ms(now_ms, config.settle_seconds)
    end_ms, refetch_ms = closed_end_ms, config.refetch_ms
    if config.backfill_end_ms is not None:
        end_ms = min(config.timeframe.ceil_ms(config.backfill_end_ms), closed_end_ms)
        if config.backfill_end_ms + FRESH_END_MS < closed_end_ms:
            refetch_ms = 0
    return Window(
        start_ms, end_ms, config.backfill_end_ms is not None, config.catch_up_initial_ms, refetch_ms
    )


def _history_start_ms(day: Day, now_ms: int) -> int:
    try:
        return day.start_ms(now_ms)
    except DayError:
        # So many years ago that it lies before 1970: everything there is.
        return 0
