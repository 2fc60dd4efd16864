"""Pages one market's trades upward where a request begins at a trade's id.

An answer shows the last trades below an id. The id at a time is looked for between trades whose
ids and times are known; then each request asks for those below an id as much higher as a page has
trades, and must show the last known trade again. Ids may have gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.trades import NS_PER_MS
from candle_ingestor.ingest.sources.judge import EMPTY_ANSWERS_NEEDED, MOST_ASKS
from candle_ingestor.ingest.sources.trade_hearing import SilentMarketError, TradeHearing
from candle_ingestor.ingest.sources.trade_reader import TradePage
from candle_ingestor.model.intervals import IntervalSet

_MOST_PROBES = 100
_SAME_ENDS_NEEDED = 2


@dataclass(frozen=True)
class _Heard:
    """An answer with ids as numbers, ascending by them."""

    trades: pl.DataFrame
    rejected_spans: IntervalSet

    @property
    def lowest(self) -> tuple[int, int]:
        """Id and time in ns; the same for `highest`."""
        return self._at(0)

    @property
    def highest(self) -> tuple[int, int]:
        return self._at(-1)

    def _at(self, position: int) -> tuple[int, int]:
        trade_id, time_ns = self.trades.select("number", "time_ns").row(position)
        return trade_id, time_ns

    def shows(self, trade_id: int) -> bool:
        return bool(self.trades["number"].is_in([trade_id]).any())

    def after(self, trade_id: int) -> pl.DataFrame:
        return self.trades.filter(pl.col("number") > trade_id)


@dataclass
class IdReader:
    """A TradeReader by ids."""

    hearing: TradeHearing
    _last_id: int = 0

    async def first(self, start_ms: int) -> TradePage:
        start_ns = start_ms * NS_PER_MS
        asked_ms = self.hearing.now_ms()
        known = self.hearing.memory.known
        if not any(time_ns >= start_ns for time_ns in known.values()):
            newest = await self._newest()
            if newest.highest[1] < start_ns:
                return TradePage(newest.trades.clear().drop("number"), asked_ms)
        heard, is_first_ever = await self._around(start_ns)
        trades = heard.trades.filter(pl.col("time_ns") >= start_ns)
        self._last_id = heard.highest[0]
        if trades.is_empty():
            return await self.more()
        first_ms = int(trades["time_ns"][0]) // NS_PER_MS if is_first_ever else None
        return TradePage(trades.drop("number"), None, heard.rejected_spans, first_ms)

    async def more(self) -> TradePage:
        asked_ms = self.hearing.now_ms()
        page_trades = self.hearing.habits.page_trades
        heard = await self._with_last(self._last_id + page_trades)
        trades = heard.after(self._last_id)
        if trades.is_empty():
            newest_id, _ = (await self._newest()).highest
            if newest_id <= self._last_id:
                return TradePage(trades.drop("number"), asked_ms)
            heard = await self._over_gap(self._last_id + page_trades, newest_id + 1)
            trades = heard.after(self._last_id)
        self._last_id = heard.highest[0]
        return TradePage(trades.drop("number"), None, heard.rejected_spans)

    async def _with_last(self, before_id: int) -> _Heard:
        """An answer that shows the last known trade; heard twice if it shows nothing after it."""
        times_nothing = 0
        for _ in range(MOST_ASKS):
            heard = await self._hear(before_id)
            if not heard.shows(self._last_id):
                continue
            times_nothing += heard.after(self._last_id).is_empty()
            if times_nothing in (0, _SAME_ENDS_NEEDED):
                return heard
        raise self._not_believed(f"the trades after id {self._last_id}")

    async def _over_gap(self, without_new: int, with_new: int) -> _Heard:
        """An answer that shows the last known trade and what follows a gap after it."""
        for _ in range(_MOST_PROBES):
            before_id = (without_new + with_new + 1) // 2
            heard = await self._hear(before_id)
            if heard.trades.is_empty():
                continue
            is_new = heard.highest[0] > self._last_id
            if is_new and heard.shows(self._last_id):
                return heard
            if is_new:
                with_new = before_id
            elif before_id < with_new:
                without_new = before_id
        raise self._not_believed(f"the trades after id {self._last_id}")

    async def _around(self, start_ns: int) -> tuple[_Heard, bool]:
        """An answer with a trade before a time near it, or else the first trades of all.

        Also tells whether it is the latter.
        """
        known = self.hearing.memory.known
        before = [(i, t) for i, t in known.items() if t < start_ns]
        low: tuple[int, int | None] = max(before, default=(0, None))
        high = min((i, t) for i, t in known.items() if t >= start_ns)
        page_trades = self.hearing.habits.page_trades
        for number in range(_MOST_PROBES):
            before_id = _probe(low, high, start_ns, page_trades, is_halving=number % 2 == 1)
            heard = await self._proven(before_id)
            if heard.trades.is_empty() and before_id >= high[0]:
                self._last_id = high[0]
                return await self._with_last(high[0] + page_trades), True
            if heard.trades.is_empty():
                low = (before_id, None)
            elif heard.lowest[1] >= start_ns:
                high = min(high, heard.lowest)
            elif heard.highest[1] >= start_ns or before_id >= high[0]:
                return heard, False
            else:
                # Ids may have a gap there.
                low = (max(heard.highest[0], before_id - 1), heard.highest[1])
            if not heard.trades.is_empty():
                known.update((heard.lowest, heard.highest))
        raise self._not_believed(f"the first trade from {start_ns} ns on")

    async def _newest(self) -> _Heard:
        """The newest trades, as the later of two answers shows them."""
        best: _Heard | None = None
        times_heard = 0
        for _ in range(MOST_ASKS):
            heard = await self._hear(None)
            if heard.trades.is_empty():
                continue
            times_heard += 1
            if best is None or heard.highest > best.highest:
                best = heard
            if times_heard >= _SAME_ENDS_NEEDED:
                self.hearing.memory.known.update((best.lowest, best.highest))
                return best
        if best is None:
            raise SilentMarketError(f"{self.hearing.series}: shows no trade, however often asked")
        raise self._not_believed("the newest trades")

    async def _proven(self, before_id: int) -> _Heard:
        """An answer; an empty one only where it came often enough."""
        for _ in range(EMPTY_ANSWERS_NEEDED):
            heard = await self._hear(before_id)
            if not heard.trades.is_empty():
                return heard
        return heard

    async def _hear(self, before_id: int | None) -> _Heard:
        sifted = await self.hearing.hear(before_id)
        trades = (
            sifted.trades.with_columns(number=pl.col("id").cast(pl.Int64, strict=False))
            .drop_nulls("number")
            .sort("number")
        )
        return _Heard(trades, sifted.rejected_spans)

    def _not_believed(self, what: str) -> MalformedAnswerError:
        return MalformedAnswerError(
            f"{self.hearing.series}: no answer about {what} can be believed, however often asked"
        )


def _probe(
    low: tuple[int, int | None],
    high: tuple[int, int],
    time_ns: int,
    page_trades: int,
    *,
    is_halving: bool,
) -> int:
    """Below which id to look for a time between two trades."""
    low_id, low_ns = low
    high_id, high_ns = high
    if high_id - low_id <= page_trades:
        return high_id
    if low_ns is None or is_halving or high_ns <= low_ns:
        return (low_id + high_id) // 2 + 1
    share = (time_ns - low_ns) / (high_ns - low_ns)
    aimed = low_id + round((high_id - low_id) * share) + page_trades // 2
    return min(max(aimed, low_id + 2), high_id)
