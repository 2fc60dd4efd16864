"""Asks one exchange for candles of one series, and remembers what it showed in this run."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.rows import RawRows, shown_raw
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.ingest.sources.heard import Heard, heard_from, holes_in, with_hole_filled
from candle_ingestor.ingest.sources.judge import MOST_ASKS
from candle_ingestor.ingest.sources.rejections import note_rejected
from candle_ingestor.ingest.sources.sift import sift
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text

log = logging.getLogger(__name__)

_FEWEST_PAGE_CANDLES = 2


@dataclass
class SeriesMemory:
    """What was learnt of a series in this run, by all of its tasks.

    Attributes:
        page_candles: how many candles a request asks for.
        listing: when its history begins, as far as that was looked for.
        is_listing_news: whether that was learnt in this run, and no page has told of it yet.
        listing_lock: held by who looks for it.
        has_candles: whether candles were shown in an earlier run.
    """

    page_candles: int
    listing: Listing = field(default_factory=Listing)
    is_listing_news: bool = False
    listing_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    has_candles: bool = False
    _shown_ms: list[int] = field(default_factory=list)
    _cut_row_counts: set[int] = field(default_factory=set)

    def note_shown(self, open_ms: int) -> None:
        """Remembers the open time of a closed candle that was shown."""
        index = bisect_left(self._shown_ms, open_ms)
        if index == len(self._shown_ms) or self._shown_ms[index] != open_ms:
            insort(self._shown_ms, open_ms)

    def shown_before(self, time_ms: int) -> int | None:
        """The last candle remembered before a time."""
        index = bisect_left(self._shown_ms, time_ms)
        return self._shown_ms[index - 1] if index else None

    def shown_from(self, time_ms: int) -> int | None:
        """The first candle remembered at or after a time."""
        index = bisect_left(self._shown_ms, time_ms)
        return self._shown_ms[index] if index < len(self._shown_ms) else None

    def note_cut(self, row_count: int) -> None:
        """Hears how many rows were left of an answer that was cut at its head.

        The same number twice is the exchange's real page size.
        """
        if row_count in self._cut_row_counts:
            self.page_candles = max(_FEWEST_PAGE_CANDLES, min(self.page_candles, row_count))
        self._cut_row_counts.add(row_count)

    @property
    def unlisted_until_ms(self) -> int:
        """The end of the time before the listing, as far as it is known; 0 where it is not.

        That there was no candle yet is believed only while none was ever shown.
        """
        if self.listing.first_day_ms is not None:
            return self.listing.first_day_ms
        is_traded = self.has_candles or bool(self._shown_ms)
        return 0 if is_traded else self.listing.silent_until_ms or 0

    def learn_listing(self, listing: Listing) -> None:
        self.listing = listing
        self.is_listing_news = True

    def take_listing_news(self) -> Listing | None:
        """What no page has told of yet."""
        is_news, self.is_listing_news = self.is_listing_news, False
        return self.listing if is_news else None


@dataclass
class Hearing:
    """Asks for one series; `counts` grows by what it costs."""

    session: ExchangeSession
    series: Series
    memory: SeriesMemory
    now_ms: Callable[[], int]
    counts: SourceCounts

    @property
    def habits(self) -> ExchangeHabits:
        return self.session.habits

    @property
    def timeframes(self) -> Sequence[str]:
        return self.session.timeframes

    def is_to_stop(self) -> bool:
        """Whether the run is to ask for nothing more."""
        return self.session.stop.is_set()

    async def hear(self, start_ms: int, limit: int, end_ms: int) -> Heard:
        """What is shown from `start_ms` on.

        An answer with rejected rows in `[start_ms, end_ms)` is asked for again, and taken when it
        was the same each time. Of an exchange that is never silent each candle that is missing
        between two others is asked for on its own.

        Raises:
            ExchangeError: if there is no answer, or it is another one each time.
            RunEndedError: when the run ended before.
        """
        heard = await self._heard_steadily(start_ms, limit, end_ms)
        if not self.habits.is_never_silent or heard.has_unplaceable:
            return heard
        timeframe = self.series.timeframe
        for hole in holes_in(heard, timeframe) & IntervalSet.of(start_ms, end_ms):
            for one in hole.cut(timeframe.duration_ms):
                again = await self._heard_steadily(one.start_ms, 1, one.end_ms)
                heard = with_hole_filled(heard, one, again)
                if not heard.shows(one.start_ms):
                    missing = iso_text(one.start_ms)
                    log.info("%s: shows nothing of %s, asked alone either", self.series, missing)
        return heard

    async def _heard_steadily(self, start_ms: int, limit: int, end_ms: int) -> Heard:
        asked_for = IntervalSet.of(start_ms, end_ms)
        last: Heard | None = None
        for _ in range(MOST_ASKS):
            heard = await self._heard_once(start_ms, limit)
            if not heard.has_unplaceable and not heard.rejected & asked_for:
                return heard
            if last is not None and not _same(last, heard):
                break
            last = heard
        else:
            return heard
        raise MalformedAnswerError(
            f"{self.series}: has rows that are no candles, and other ones each time it is asked; "
            f"the last one was {_first_rejected(heard)}"
        )

    async def daily_rows(self, start_ms: int, limit: int) -> RawRows:
        """Daily candles of the same market, as they came."""
        return await self.session.fetch_candles(
            str(self.series.symbol), Timeframe.parse("1d"), start_ms, limit, self.counts
        )

    async def shows_now(self, open_ms: int) -> bool:
        """Whether the candle is shown when it is asked for."""
        heard = await self._heard_once(open_ms, _FEWEST_PAGE_CANDLES)
        return heard.shows(open_ms)

    async def shows_anything_recent(self) -> bool:
        """Whether the exchange shows any candle of the last page before now."""
        timeframe = self.series.timeframe
        page_ms = self.memory.page_candles * timeframe.duration_ms
        start_ms = timeframe.ceil_ms(self.now_ms()) - page_ms
        heard = await self._heard_once(start_ms, self.memory.page_candles)
        return heard.first_ms is not None

    async def is_alive(self) -> bool:
        """Whether the exchange shows candles at all.

        Asked for are this market's newest, its best known markets', and this market's first day.
        """
        session = self.session
        if session.has_shown_rows or await self.shows_anything_recent():
            return True
        timeframe = self.series.timeframe
        limit = self.memory.page_candles
        start_ms = timeframe.ceil_ms(self.now_ms()) - limit * timeframe.duration_ms
        for market in session.witnesses:
            rows = await session.fetch_candles(market, timeframe, start_ms, limit, self.counts)
            if not rows.frame.is_empty():
                return True
        first_day_ms = self.memory.listing.first_day_ms
        if first_day_ms is None:
            return False
        return not (await self.daily_rows(first_day_ms, _FEWEST_PAGE_CANDLES)).frame.is_empty()

    def report_rejected(self, heard: Heard) -> None:
        """Counts the rejected rows of an answer that was taken, and logs the first of them."""
        note_rejected(self.series, heard.rejected_rows, self.counts, "rejected a row")

    async def _heard_once(self, start_ms: int, limit: int) -> Heard:
        series = self.series
        rows = await self.session.fetch_candles(
            str(series.symbol), series.timeframe, start_ms, limit, self.counts
        )
        heard = heard_from(sift(rows, series.timeframe), start_ms, series.timeframe)
        times = heard.candles["open_time_ms"]
        if not times.is_empty():
            closed_ms = self.now_ms() - series.timeframe.duration_ms
            for time_ms in (int(times[0]), int(times[-1])):
                if time_ms <= closed_ms:
                    self.memory.note_shown(time_ms)
        return heard


def _same(left: Heard, right: Heard) -> bool:
    return (
        left.rejected == right.rejected
        and left.has_unplaceable == right.has_unplaceable
        and left.candles.equals(right.candles)
    )


def _first_rejected(heard: Heard) -> str:
    return shown_raw(heard.rejected_rows[0].raw)
