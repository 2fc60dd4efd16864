"""Asks one exchange for trades of one market, and remembers what it showed in this run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.rows import shown_raw
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.exchanges.trade_habits import TradeHabits
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.ingest.sources.judge import MOST_ASKS
from candle_ingestor.ingest.sources.rejections import note_rejected
from candle_ingestor.ingest.sources.trade_sift import SiftedTrades, sift_trades
from candle_ingestor.model.series import Series

log = logging.getLogger(__name__)


class SilentMarketError(MalformedAnswerError):
    """A market shows no trade at all, of whatever time."""


@dataclass
class TradeMemory:
    """What was learnt of a market's trades in this run, by all of its tasks.

    Attributes:
        first_ever_ns: the time of the first trade of its whole history, once that was asked for.
        page_ms: how long the trades of a page last, once that was measured.
        known: some ids that were shown, with their times in ns.
    """

    first_ever_ns: int | None = None
    page_ms: int | None = None
    known: dict[int, int] = field(default_factory=dict)


@dataclass
class TradeHearing:
    """Asks for trades of one market; `counts` grows by what it costs."""

    session: ExchangeSession
    series: Series
    habits: TradeHabits
    now_ms: Callable[[], int]
    counts: SourceCounts
    memory: TradeMemory

    async def hear(self, cursor: int | None) -> SiftedTrades:
        """What one answer shows.

        An answer with rejected rows is asked for again, and taken when it was the same each time.
        So is one that cannot be read: a page that fails would cost the candle that it ends in, and
        of long candles all pages before it.

        Raises:
            ExchangeError: if there is no answer that can be read, or it is another one each time.
            RunEndedError: when the run ended before.
        """
        last: SiftedTrades | None = None
        for number in range(1, MOST_ASKS + 1):
            try:
                rows = await self.session.fetch_trades(
                    str(self.series.symbol), cursor, self.habits.page_trades, self.counts
                )
            except MalformedAnswerError as error:
                if number == MOST_ASKS:
                    raise
                log.warning("%s: asks for trades again: %s", self.series, error)
                continue
            heard = sift_trades(rows)
            if not heard.rejected:
                return heard
            if last is not None and last.rejected == heard.rejected:
                note_rejected(self.series, heard.rejected, self.counts, "rejected a trade")
                return heard
            last = heard
        shown = "" if last is None else shown_raw(last.rejected[0].raw)
        raise MalformedAnswerError(
            f"{self.series}: answers trades with rows that are none, and other ones each time it "
            f"is asked; the last one was {shown}"
        )
