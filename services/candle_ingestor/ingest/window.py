"""What a configuration wants of a symbol. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from candle_ingestor.config import CandlesConfig
from candle_ingestor.ingest.plan import Window
from candle_ingestor.symbols.requests import SymbolRequest
from candle_ingestor.symbols.start_date import Day, DayError


def window_of(config: CandlesConfig, request: SymbolRequest, now_ms: int) -> Window:
    """The window of a run that started at `now_ms`; the symbol's own history start counts.

    Raises:
        ConfigurationError: if the configured dates contradict each other at that time.
    """
    start_ms, asked_end_ms = config.resolved(now_ms)
    if start_ms is not None and request.history_start is not None:
        start_ms = _history_start_ms(request.history_start, now_ms)
    end_ms = config.timeframe.closed_end_ms(now_ms, config.settle_seconds)
    if asked_end_ms is not None:
        end_ms = min(config.timeframe.ceil_ms(asked_end_ms), end_ms)
    refetch_from_ms = None if config.refetch_ms is None else max(0, end_ms - config.refetch_ms)
    return Window(
        start_ms,
        end_ms,
        asked_end_ms is not None,
        config.catch_up_initial_ms,
        refetch_from_ms,
    )


def earliest_wanted_ms(
    config: CandlesConfig, requests: Iterable[SymbolRequest], now_ms: int
) -> int:
    """From when on the store must keep candles; now where nothing is asked for."""
    windows = [window_of(config, request, now_ms) for request in requests]
    starts = [
        window.end_ms - window.catch_up_initial_ms if window.start_ms is None else window.start_ms
        for window in windows
    ]
    return min(starts, default=now_ms)


def _history_start_ms(day: Day, now_ms: int) -> int:
    try:
        return day.start_ms(now_ms)
    except DayError:
        # So many years ago that it lies before 1970: everything there is.
        return 0
