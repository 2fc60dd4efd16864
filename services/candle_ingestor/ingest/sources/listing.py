"""When a market was listed, as far as its daily candles tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.rows import RawRows, shown_raw
from candle_ingestor.ingest.sources.judge import EMPTY_ANSWERS_NEEDED, MOST_ASKS_OF_HEAD
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from candle_ingestor.model.times import iso_text

DAY = Timeframe(MINUTES_PER_DAY)

DailyRows = Callable[[int, int], Awaitable[RawRows]]
"""Asks for daily candles from a time on, so many at most."""


async def first_day_ms(
    ask: DailyRows, from_ms: int, now_ms: int, page_candles: int, market: str
) -> int | None:
    """The start of the UTC day of the market's first row from `from_ms` to now; None without one.

    Any row tells that the market was listed, also one that is no good candle, or that opens at
    another hour than midnight. `market` is for messages.

    Raises:
        ExchangeError: if an answer fails or has a row without a usable time.
        RunEndedError: when the run ended before.
    """
    day_ms = DAY.duration_ms
    end_ms = DAY.floor_ms(now_ms) + day_ms
    search = _Search(ask, DAY.floor_ms(from_ms), end_ms, market)
    for start_ms in range(search.start_ms, end_ms, page_candles * day_ms):
        found_ms = await search.first_shown(start_ms, page_candles)
        if found_ms is not None:
            return await search.confirmed(found_ms, page_candles)
    return None


async def has_day_before(ask: DailyRows, time_ms: int, page_candles: int) -> bool:
    """Whether a row of a day that was over by `time_ms` is shown, of a page of days before it.

    Any row tells of trade, as in `first_day_ms`. That none is shown tells nothing.

    Raises:
        ExchangeError: if the answer fails.
        RunEndedError: when the run ended before.
    """
    last_ms = time_ms - DAY.duration_ms
    start_ms = DAY.floor_ms(last_ms) - (page_candles - 1) * DAY.duration_ms
    rows = await ask(start_ms, page_candles)
    return bool(rows.frame["open_time_ms"].is_between(start_ms, last_ms).any())


class _Search:
    def __init__(self, ask: DailyRows, start_ms: int, end_ms: int, market: str) -> None:
        self._ask = ask
        self.start_ms = start_ms
        self._end_ms = end_ms
        self._market = market

    async def first_shown(self, start_ms: int, limit: int) -> int | None:
        for _ in range(EMPTY_ANSWERS_NEEDED):
            found_ms = self._first_of(await self._ask(start_ms, limit))
            if found_ms is not None:
                return found_ms
        return None

    async def confirmed(self, found_ms: int, page_candles: int) -> int:
        # The page before may have ended right before the first row, or lost it at its head: the
        # days up to the one found are asked for on their own, until it is the first of them.
        longest_ms = max(page_candles - 2, 1) * DAY.duration_ms
        for _ in range(MOST_ASKS_OF_HEAD):
            back_ms = max(self.start_ms, found_ms - longest_ms)
            if back_ms >= found_ms:
                return found_ms
            limit = (found_ms - back_ms) // DAY.duration_ms + 1
            earlier_ms = await self.first_shown(back_ms, limit)
            if earlier_ms == found_ms:
                return found_ms
            if earlier_ms is not None and earlier_ms < found_ms:
                found_ms = earlier_ms
        raise MalformedAnswerError(
            f"{self._market}: its daily candles do not tell when it was listed; "
            f"that of {iso_text(found_ms)} is not shown each time"
        )

    def _first_of(self, rows: RawRows) -> int | None:
        times = rows.frame["open_time_ms"]
        if times.is_empty():
            return None
        first_ms, last_ms = times.min(), times.max()
        is_usable = (
            not times.null_count()
            and isinstance(first_ms, int)
            and isinstance(last_ms, int)
            and first_ms > 0
            and last_ms < self._end_ms
        )
        if not is_usable:
            raise MalformedAnswerError(
                f"{self._market}: its daily candles do not tell when it was listed, since one "
                f"has no usable time; the first row was {shown_raw(rows.raw[0])}"
            )
        assert isinstance(first_ms, int)
        return DAY.floor_ms(first_ms)
