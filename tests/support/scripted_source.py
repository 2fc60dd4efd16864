"""A source of candles in this process, with a script of what goes wrong."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from minutes import MINUTE_MS, START_MS, candles

from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe


@dataclass
class ScriptedSource:
    """Answers every minute with one candle; `before_page` may raise, or change the script."""

    exchange: str
    page_candles: int = 101
    price: float = 10.0
    refusal: ExchangeError | None = None
    listed_from_ms: int = 0
    before_page: Callable[[Series, Interval], None] = lambda series, interval: None
    failing: Callable[[Interval], ExchangeError | None] = lambda interval: None
    is_to_stop: Callable[[], bool] = lambda: False
    asked: list[tuple[Series, Interval]] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    origin: Origin = Origin.ENDPOINT
    is_paced: bool = True
    offered: IntervalSet = EMPTY

    def offers(self, _series: Series) -> IntervalSet:
        return self.offered

    @property
    def timeframes(self) -> tuple[str, ...]:
        return ("1m",)

    def seconds_per_request(self) -> float:
        return 0.0

    def reach_start_ms(self, timeframe: Timeframe) -> int | None:
        return None

    async def pages(
        self, series: Series, interval: Interval, known: Known, counts: SourceCounts
    ) -> AsyncGenerator[Page]:
        self.known.append(known)
        for piece in interval.cut((self.page_candles - 1) * MINUTE_MS):
            if self.is_to_stop():
                return
            await asyncio.sleep(0)
            self.before_page(series, piece)
            self.asked.append((series, piece))
            counts.requests += 1
            first, last = ((time_ms - START_MS) // MINUTE_MS for time_ms in piece)
            if self.refusal is not None:
                yield _failed(Interval(piece.start_ms, interval.end_ms), self.refusal)
                return
            if piece.end_ms <= self.listed_from_ms:
                reasons = {GapReason.NOT_LISTED_YET: IntervalSet((piece,))}
                yield Page(piece, candles({}), EMPTY, reasons=reasons)
                continue
            failure = self.failing(piece)
            if failure is not None:
                yield _failed(piece, failure)
            else:
                shown = candles(dict.fromkeys(range(first, last), self.price))
                yield Page(piece, shown, IntervalSet((piece,)), origin=self.origin)


def _failed(done: Interval, failure: ExchangeError) -> Page:
    reasons = {GapReason.FETCH_FAILED: IntervalSet((done,))}
    return Page(done, candles({}), EMPTY, reasons=reasons, failure=failure)
