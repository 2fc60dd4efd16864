"""When a market was listed, found by its daily candles."""

from __future__ import annotations

from candle_ingestor.ingest.pager import FailedPage, PageCounts, Pager
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe

DAY = Timeframe(MINUTES_PER_DAY)


def can_be_sought(pager: Pager) -> bool:
    """Whether the exchange offers the daily candles that tell."""
    return str(DAY) in pager.session.client.timeframes


async def first_day_ms(
    pager: Pager, series: Series, window: Interval, counts: PageCounts
) -> int | None:
    """The start of the first day in `window` with a candle; None where no day has one.

    Raises:
        ExchangeError: if a part of the window stays unanswered, so that it cannot be told.
    """
    daily = Series(series.exchange, series.symbol, DAY)
    days = Interval(DAY.floor_ms(window.start_ms), DAY.ceil_ms(window.end_ms))
    found_ms = await _first_candle_ms(pager, daily, days, counts)
    if found_ms is None or found_ms == days.start_ms:
        return found_ms
    # A page that happens to end right before the first candle has only said "nothing"; the same
    # days are asked for once more in one page with that candle in it.
    page_days = pager.session.client.habits.page_candles
    back_ms = max(days.start_ms, found_ms - (page_days - 2) * DAY.duration_ms)
    again = Interval(back_ms, found_ms + DAY.duration_ms)
    return await _first_candle_ms(pager, daily, again, counts) or found_ms


async def _first_candle_ms(
    pager: Pager, daily: Series, days: Interval, counts: PageCounts
) -> int | None:
    async for page in pager.read(daily, days, None, counts):
        if isinstance(page, FailedPage):
            raise page.error
        if not page.candles.is_empty():
            return int(page.candles["open_time_ms"][0])
    return None
