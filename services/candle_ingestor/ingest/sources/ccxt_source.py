"""An exchange's candle endpoint, asked through ccxt, as a source of candles."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.hearing import Hearing, SeriesMemory
from candle_ingestor.ingest.sources.judge import reach_start_ms
from candle_ingestor.ingest.sources.pager import Pager, PageRules
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.timeframe import Timeframe


class CcxtCandles:
    """A CandleSource over the session of one exchange, for the time of one run.

    `now_ms` is asked before and after each answer. `settle_seconds` and `refetch_last_candles` are
    those of rules T1 and T2.
    """

    origin = Origin.ENDPOINT
    is_paced = True

    def __init__(
        self,
        session: ExchangeSession,
        now_ms: Callable[[], int],
        settle_seconds: float,
        refetch_last_candles: int,
    ) -> None:
        self._session = session
        self._now_ms = now_ms
        self._rules = PageRules(settle_seconds, refetch_last_candles)
        self._memories: dict[Series, SeriesMemory] = {}

    @property
    def exchange(self) -> str:
        return self._session.exchange

    @property
    def page_candles(self) -> int:
        return self._session.habits.page_candles

    @property
    def refusal(self) -> ExchangeError | None:
        return self._session.refusal

    @property
    def timeframes(self) -> Sequence[str]:
        off_grid = self._session.habits.off_grid_timeframes
        return tuple(name for name in self._session.timeframes if name not in off_grid)

    def seconds_per_request(self) -> float:
        return self._session.seconds_per_request

    def reach_start_ms(self, timeframe: Timeframe) -> int | None:
        reach_candles = self._session.habits.reach_in(timeframe)
        return reach_start_ms(reach_candles, timeframe, self._now_ms())

    def pages(
        self, series: Series, interval: Interval, known: Known, counts: SourceCounts
    ) -> AsyncGenerator[Page]:
        memory = self._memories.setdefault(series, SeriesMemory(self.page_candles))
        if memory.listing == Listing():
            memory.listing = known.listing
        memory.has_candles = memory.has_candles or known.has_candles
        hearing = Hearing(self._session, series, memory, self._now_ms, counts)
        return Pager(hearing, known, self._rules).pages(interval)
