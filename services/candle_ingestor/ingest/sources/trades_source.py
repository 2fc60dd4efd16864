"""An exchange's trades, asked through ccxt, as a source of candles of any length."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from candle_ingestor.exchanges.errors import ExchangeError, RequestRejectedError
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.exchanges.trade_habits import TradeCursor, TradeHabits
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.pager import PageRules
from candle_ingestor.ingest.sources.trade_id_reader import IdReader
from candle_ingestor.ingest.sources.trade_pager import TradePager
from candle_ingestor.ingest.sources.trade_reader import (
    TimeReader,
    TradeHearing,
    TradeMemory,
    TradeReader,
)
from candle_ingestor.ingest.sources.trade_sift import NS_PER_MS
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe

_TRADES_PER_MINUTE = 20
"""Where nothing was measured: a busy market of a middling exchange."""

_FEWEST_PAGE_CANDLES = 2

_PAGES_WORTH_MEASURING = 4
"""Of fewer usual pages, nobody need know how long they take."""


@dataclass(frozen=True)
class TradesEstimate:
    """What building candles of a span would take at the exchange's pace.

    Attributes:
        page_trades, page_ms: the trades of the page that was measured, and how long they last; 0
            where other markets of the exchange were.
    """

    requests: int
    seconds: float
    page_trades: int
    page_ms: int


class TradeCandles:
    """A CandleSource over the trades of one exchange, for the time of one run.

    `now_ms` is asked before each answer. `settle_seconds` and `refetch_last_candles` are those of
    rules T1 and T2.

    Raises:
        RequestRejectedError: if nobody has described the exchange's trades.
    """

    def __init__(
        self,
        session: ExchangeSession,
        now_ms: Callable[[], int],
        settle_seconds: float,
        refetch_last_candles: int,
    ) -> None:
        habits = session.trade_habits
        if habits is None:
            raise RequestRejectedError(f"{session.exchange}: it has no trades to build from")
        self._habits: TradeHabits = habits
        self._session = session
        self._now_ms = now_ms
        self._rules = PageRules(settle_seconds, refetch_last_candles)
        self._memories: dict[Series, TradeMemory] = {}

    @property
    def exchange(self) -> str:
        return self._session.exchange

    @property
    def origin(self) -> Origin:
        return Origin.TRADES

    @property
    def is_paced(self) -> bool:
        return True

    @property
    def page_candles(self) -> int:
        """How many minutes a page of trades lasts, as measured, or else as is usual."""
        measured = [m.page_ms for m in self._memories.values() if m.page_ms is not None]
        page_ms = sum(measured) // len(measured) if measured else self._usual_page_ms
        return max(page_ms // MINUTE_MS, _FEWEST_PAGE_CANDLES)

    @property
    def _usual_page_ms(self) -> int:
        return self._habits.page_trades * MINUTE_MS // _TRADES_PER_MINUTE

    @property
    def refusal(self) -> ExchangeError | None:
        return self._session.refusal

    @property
    def timeframes(self) -> Sequence[str]:
        """Every length there is."""
        return [str(Timeframe(minutes)) for minutes in range(1, 1441)]

    def seconds_per_request(self) -> float:
        return self._session.seconds_per_request

    def reach_start_ms(self, timeframe: Timeframe) -> int | None:
        return None

    def offers(self, series: Series) -> IntervalSet:
        """All closed candles since the exchange opened."""
        end_ms = series.timeframe.closed_end_ms(self._now_ms(), self._rules.settle_seconds)
        start_ms = series.timeframe.ceil_ms(self._session.habits.opened_ms)
        return IntervalSet.of(start_ms, end_ms)

    def pages(
        self, series: Series, interval: Interval, known: Known, counts: SourceCounts
    ) -> AsyncGenerator[Page]:
        hearing = self._hearing(series, counts)

        def make_reader() -> TradeReader:
            return self._reader(hearing)

        page_ms = self.page_candles * MINUTE_MS
        return TradePager(hearing, make_reader, self._rules, known, page_ms).pages(interval)

    async def estimate(
        self, series: Series, intervals: IntervalSet, counts: SourceCounts
    ) -> TradesEstimate | None:
        """What the intervals would take, by one page of trades from the middle of them.

        None where they are so short that it is not worth a request.

        Raises:
            ExchangeError: if the page cannot be had.
            RunEndedError: when the run ended before.
        """
        if intervals.duration_ms < _PAGES_WORTH_MEASURING * self._usual_page_ms:
            return None
        middle_ms = _middle_ms(intervals)
        hearing = self._hearing(series, counts)
        shown = (await self._reader(hearing).first(middle_ms)).trades
        page_ms = max(self._now_ms() - middle_ms, 1)
        if not shown.is_empty():
            page_ms = max(int(shown["time_ns"][-1]) // NS_PER_MS - middle_ms, 1)
        whole_page_ms = page_ms * self._habits.page_trades // max(shown.height, 1)
        hearing.memory.page_ms = whole_page_ms
        requests = sum(-(-each.duration_ms // whole_page_ms) for each in intervals)
        return TradesEstimate(requests, self._seconds_of(requests), shown.height, page_ms)

    def guess(self, intervals: IntervalSet) -> TradesEstimate:
        """What the intervals would take where trades are as dense as those measured so far."""
        page_ms = self.page_candles * MINUTE_MS
        requests = sum(-(-each.duration_ms // page_ms) for each in intervals)
        return TradesEstimate(requests, self._seconds_of(requests), 0, 0)

    def _seconds_of(self, requests: int) -> float:
        return requests * self._session.seconds_per_request

    def _reader(self, hearing: TradeHearing) -> TradeReader:
        if self._habits.cursor is TradeCursor.BEFORE_ID:
            return IdReader(hearing)
        return TimeReader(hearing)

    def _hearing(self, series: Series, counts: SourceCounts) -> TradeHearing:
        memory = self._memories.setdefault(series, TradeMemory())
        return TradeHearing(self._session, series, self._habits, self._now_ms, counts, memory)


def _middle_ms(intervals: IntervalSet) -> int:
    """The point with as much of the intervals before it as after it."""
    left_ms = intervals.duration_ms // 2
    for interval in intervals:
        if left_ms < interval.duration_ms:
            return interval.start_ms + left_ms
        left_ms -= interval.duration_ms
    return intervals.end_ms
