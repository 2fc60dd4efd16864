"""Reads an interval of one market page by page (rule C2)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from candle_ingestor.exchanges.answers import shown_raw
from candle_ingestor.exchanges.errors import ExchangeError, MalformedAnswerError
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts
from candle_ingestor.ingest.judgement import (
    MOST_ASKS,
    SAME_ANSWERS_NEEDED,
    Doubt,
    Judgement,
    PageAsk,
    Reach,
    judge,
)
from candle_ingestor.ingest.sift import SiftedRows, sift
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text

log = logging.getLogger(__name__)

_MOST_REJECTED_ROWS_LOGGED = 5


@dataclass
class PageCounts(RequestCounts):
    """What reading pages cost, and what was rejected."""

    rejected: int = 0


@dataclass(frozen=True)
class FailedPage:
    """A page that stays open, and why."""

    interval: Interval
    error: ExchangeError

    @property
    def next_ms(self) -> int:
        """Where the next page starts."""
        return self.interval.end_ms


@dataclass
class Pager:
    """Pages through markets of one exchange, every page confirmed as rule C2 asks.

    `now_ms` is asked after each answer, to know the exchange's reach at that time.
    """

    session: ExchangeSession
    now_ms: Callable[[], int]
    _warned: set[Series] = field(default_factory=set, init=False)
    _shown_from_ms: dict[Series, int] = field(default_factory=dict, init=False)
    _known_ms: dict[Series, int] = field(default_factory=dict, init=False)

    async def read(
        self, series: Series, wanted: Interval, known_ms: int | None, counts: PageCounts
    ) -> AsyncGenerator[Judgement | FailedPage]:
        """The pages of `wanted`, ascending, until it is settled or the run is to stop.

        `known_ms` is the open time of the last candle known before `wanted`, if any. A failed page
        is yielded as such, and the next one is asked for.
        """
        next_ms = wanted.start_ms
        overlap_ms = known_ms
        if known_ms is not None:
            self._known_ms.setdefault(series, known_ms)
        while next_ms < wanted.end_ms and not self.session.stop.is_set():
            ask = self._ask(series, Interval(next_ms, wanted.end_ms), overlap_ms)
            if ask.end_ms <= next_ms:
                return
            try:
                page = await self._confirmed(series, ask, counts)
            except ExchangeError as error:
                if self.session.stop.is_set():
                    return
                yield FailedPage(Interval(next_ms, ask.end_ms), error)
                next_ms, overlap_ms = ask.end_ms, None
                continue
            yield page
            next_ms = page.next_ms
            if not page.candles.is_empty():
                overlap_ms = int(page.candles["open_time_ms"][-1])

    def reach(self, series: Series) -> Reach:
        """How far back the exchange answers now."""
        habits = self.session.client.habits
        shown_from_ms = self._shown_from_ms.get(series)
        if habits.reach_candles is None:
            return Reach(None, habits.is_reach_known, shown_from_ms)
        newest_ms = series.timeframe.floor_ms(self.now_ms())
        oldest_ms = newest_ms - (habits.reach_candles - 1) * series.timeframe.duration_ms
        return Reach(oldest_ms, habits.is_reach_known, shown_from_ms)

    def _ask(self, series: Series, wanted: Interval, overlap_ms: int | None) -> PageAsk:
        page_ms = self.session.client.habits.page_candles * series.timeframe.duration_ms
        reach = self.reach(series)
        is_useful = (
            overlap_ms is not None
            and overlap_ms >= wanted.start_ms - page_ms // 2
            and (reach.start_ms is None or overlap_ms >= reach.start_ms)
        )
        if not is_useful or overlap_ms is None:
            start_ms = wanted.start_ms
            if reach.start_ms is not None:
                start_ms = max(start_ms, min(reach.start_ms, wanted.end_ms))
            return PageAsk(start_ms, start_ms + page_ms, wanted, None)
        return PageAsk(overlap_ms, overlap_ms + page_ms, wanted, overlap_ms)

    async def _confirmed(self, series: Series, ask: PageAsk, counts: PageCounts) -> Judgement:
        earlier: list[Judgement] = []
        limit = (ask.page_end_ms - ask.start_ms) // series.timeframe.duration_ms
        for _ in range(MOST_ASKS):
            sifted = await self._asked(series, ask.start_ms, limit, counts)
            page = judge(ask, sifted, series.timeframe, self.reach(series))
            if page.doubt is None:
                return page
            needed = SAME_ANSWERS_NEEDED[page.doubt]
            earlier = [*earlier, page] if earlier and _same(earlier[-1], page) else [page]
            if needed is not None and len(earlier) >= needed:
                if page.doubt is Doubt.EMPTY:
                    await self._require_a_known_candle(series, counts)
                self._report(series, sifted, page)
                counts.rejected += len(sifted.rejected)
                return page
        raise MalformedAnswerError(
            f"{series}: asked {MOST_ASKS} times, the last answer "
            f"{earlier[-1].doubt.value if earlier[-1].doubt else 'differs'}"
        )

    async def _require_a_known_candle(self, series: Series, counts: PageCounts) -> None:
        """Whoever is silent about everything, as in a maintenance, is not believed."""
        known_ms = self._known_ms.get(series)
        reach_ms = self.reach(series).start_ms
        if known_ms is None or (reach_ms is not None and known_ms < reach_ms):
            return
        page_candles = self.session.client.habits.page_candles
        sifted = await self._asked(series, known_ms, page_candles, counts)
        if known_ms not in sifted.candles["open_time_ms"]:
            raise MalformedAnswerError(
                f"{series}: an empty answer is not believed, since the candle of "
                f"{iso_text(known_ms)} is not shown now either"
            )

    async def _asked(
        self, series: Series, start_ms: int, limit: int, counts: PageCounts
    ) -> SiftedRows:
        rows = await self.session.fetch_candles(
            str(series.symbol), series.timeframe, start_ms, limit, counts
        )
        sifted = sift(rows, series.timeframe)
        times = sifted.candles["open_time_ms"]
        if not times.is_empty():
            first_ms, last_ms = int(times[0]), int(times[-1])
            self._shown_from_ms[series] = min(first_ms, self._shown_from_ms.get(series, first_ms))
            if last_ms <= self.now_ms():
                self._known_ms[series] = max(last_ms, self._known_ms.get(series, last_ms))
        return sifted

    def _report(self, series: Series, sifted: SiftedRows, page: Judgement) -> None:
        if page.doubt is not None and not sifted.rejected and series not in self._warned:
            self._warned.add(series)
            log.info(
                "%s: an answer that %s was given again and is believed", series, page.doubt.value
            )
        for row in sifted.rejected[:_MOST_REJECTED_ROWS_LOGGED]:
            log.warning("%s: rejected a row, %s: %s", series, row.why, shown_raw(row.raw))
        if len(sifted.rejected) > _MOST_REJECTED_ROWS_LOGGED:
            more = len(sifted.rejected) - _MOST_REJECTED_ROWS_LOGGED
            log.warning("%s: rejected %d more rows of the same answer", series, more)


def _same(left: Judgement, right: Judgement) -> bool:
    return (
        left.doubt is right.doubt
        and left.rejected == right.rejected
        and left.candles.equals(right.candles)
    )
