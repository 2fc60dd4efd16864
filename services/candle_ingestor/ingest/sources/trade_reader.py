"""Pages one market's trades upward from a time, and has every silence proven (rule C2).

An answer is a run of consecutive trades, and may be cut short at either end:

- Its head: the first answer of a reading is heard until two begin with the same earliest trade.
  Each further request begins at the last trade shown, and the answer must show it again, with all
  others of its time.
- Its tail: the next request begins at its last trade.
- Nothing but known trades, said twice, or nothing at all, said three times, is the end of the feed
  where its newest trade is no later either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.trade_habits import TradeCursor
from candle_ingestor.exchanges.trades import NS_PER_MS
from candle_ingestor.ingest.sources.judge import (
    EMPTY_ANSWERS_NEEDED,
    MOST_ASKS,
    MOST_ASKS_OF_HEAD,
    SAME_HEADS_NEEDED,
)
from candle_ingestor.ingest.sources.trade_hearing import SilentMarketError, TradeHearing
from candle_ingestor.ingest.sources.trade_sift import SIFTED_TRADES, SiftedTrades
from candle_ingestor.model.intervals import EMPTY, IntervalSet

_NOTHING_NEW_NEEDED = 2


@dataclass(frozen=True)
class TradePage:
    """Consecutive trades that were not shown before.

    Attributes:
        trades: columns SIFTED_TRADES, ascending.
        silent_until_ms: where nothing follows them, the time up to which that is known.
        rejected_spans: the points of time that rejected rows may belong to.
        first_ever_ms: the time of the first trade of the market's whole history, where that is
            the first of these.
    """

    trades: pl.DataFrame
    silent_until_ms: int | None = None
    rejected_spans: IntervalSet = EMPTY
    first_ever_ms: int | None = None


class TradeReader(Protocol):
    """Reads trades upward. All raise ExchangeError and RunEndedError."""

    async def first(self, start_ms: int) -> TradePage:
        """The trades from a time on, some earlier ones perhaps before them, and none left out."""

    async def more(self) -> TradePage:
        """Those that follow what was read last."""


@dataclass
class TimeReader:
    """Reads where a request begins at a time.

    Trades of one time may be split by the end of an answer. So each request begins a little before
    the last time shown, and leaves out what was shown already.
    """

    hearing: TradeHearing
    _last: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIFTED_TRADES))
    """What was shown of the last time."""

    async def first(self, start_ms: int) -> TradePage:
        asked_ms = self.hearing.now_ms()
        heard = await self._proven_head(self._cursor(start_ms * NS_PER_MS))
        trades = heard.trades.filter(pl.col("time_ns") >= start_ms * NS_PER_MS)
        if trades.is_empty():
            await self._require_nothing_from(start_ms * NS_PER_MS)
            return TradePage(trades, asked_ms, heard.rejected_spans)
        self._keep_last(trades)
        first_ms = int(trades["time_ns"][0]) // NS_PER_MS
        is_silent = first_ms - start_ms >= self.hearing.series.timeframe.duration_ms
        is_first = is_silent and await self._first_ever_ns() == trades["time_ns"][0]
        first_ever_ms = first_ms if is_first else None
        return TradePage(trades, None, heard.rejected_spans, first_ever_ms)

    async def more(self) -> TradePage:
        last_ns = int(self._last["time_ns"][0])
        asked_ms = self.hearing.now_ms()
        times_nothing = 0
        for _ in range(MOST_ASKS):
            heard = await self.hearing.hear(self._cursor(last_ns))
            shown = heard.trades.filter(pl.col("time_ns") >= last_ns)
            if not self._last["key"].is_in(shown["key"].implode()).all():
                times_nothing = 0
                continue
            trades = shown.filter(~pl.col("key").is_in(self._last["key"].implode()))
            if not trades.is_empty():
                self._keep_last(trades)
                return TradePage(trades, None, heard.rejected_spans)
            if heard.row_count >= self.hearing.habits.page_trades:
                raise MalformedAnswerError(
                    f"{self.hearing.series}: the cursor of its trades does not advance, since a "
                    f"whole answer shows nothing after {last_ns} ns"
                )
            times_nothing += 1
            if times_nothing >= _NOTHING_NEW_NEEDED and not heard.rejected:
                await self._require_nothing_from(last_ns + 1)
                return TradePage(trades, asked_ms)
        raise MalformedAnswerError(
            f"{self.hearing.series}: asked {MOST_ASKS} times for the trades after {last_ns} ns, "
            "and no answer can be believed"
        )

    async def _first_ever_ns(self) -> int | None:
        """The time of the first trade of the market's whole history; None where none is shown."""
        memory = self.hearing.memory
        if memory.first_ever_ns is None:
            heard = await self._proven_head(0)
            if not heard.trades.is_empty():
                memory.first_ever_ns = int(heard.trades["time_ns"][0])
        return memory.first_ever_ns

    async def _require_nothing_from(self, time_ns: int) -> None:
        """That nothing was traded since then is believed of a market whose newest trade is older.

        Whoever is silent about everything, as in a maintenance, is not believed.
        """
        for _ in range(MOST_ASKS):
            newest = (await self.hearing.hear(None)).trades
            if newest.is_empty():
                continue
            if newest["time_ns"][-1] < time_ns:
                return
            raise MalformedAnswerError(
                f"{self.hearing.series}: shows no trade from {time_ns} ns on, and yet a newer one "
                "when asked for its newest"
            )
        raise SilentMarketError(f"{self.hearing.series}: shows no trade, however often asked")

    async def _proven_head(self, cursor: int) -> SiftedTrades:
        best: SiftedTrades | None = None
        times_heard = times_empty = 0
        for _ in range(MOST_ASKS_OF_HEAD):
            heard = await self.hearing.hear(cursor)
            if heard.trades.is_empty():
                times_empty += 1
                if best is None and times_empty >= EMPTY_ANSWERS_NEEDED and not heard.rejected:
                    return heard
                continue
            times_empty = 0
            if best is None or _first(heard) < _first(best):
                best, times_heard = heard, 1
            elif _first(heard) == _first(best):
                times_heard += 1
            if times_heard >= SAME_HEADS_NEEDED:
                return best
        raise MalformedAnswerError(
            f"{self.hearing.series}: asked {MOST_ASKS_OF_HEAD} times for the same trades, and "
            "another first one came each time"
        )

    def _cursor(self, time_ns: int) -> int:
        """Where a request begins that shows all trades of a time."""
        if self.hearing.habits.cursor is TradeCursor.FROM_MS:
            return time_ns // NS_PER_MS
        return time_ns - self.hearing.habits.time_step_ns - 1

    def _keep_last(self, trades: pl.DataFrame) -> None:
        last_ns = int(trades["time_ns"][-1])
        new = trades.filter(pl.col("time_ns") == last_ns)
        # All of a time at once, where it began in an earlier answer.
        self._last = pl.concat([self._last.filter(pl.col("time_ns") == last_ns), new])


def _first(heard: SiftedTrades) -> tuple[int, str]:
    time_ns, key = heard.trades.select("time_ns", "key").row(0)
    return time_ns, key
