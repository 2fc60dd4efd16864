"""What the job asks of an exchange's client: the seam where tests put exchanges of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.trade_habits import TradeHabits
from candle_ingestor.exchanges.trades import RawTrades
from candle_ingestor.model.timeframe import Timeframe


class CandleClient(Protocol):
    """An exchange that can be asked for markets and candles."""

    @property
    def exchange(self) -> str: ...

    @property
    def habits(self) -> ExchangeHabits: ...

    @property
    def timeframes(self) -> Sequence[str]:
        """The timeframes it offers, as ccxt names them."""

    @property
    def address(self) -> str:
        """Where it is asked; markets cached for one address are not those of another."""

    @property
    def seconds_per_request(self) -> float:
        """The least time between two requests like the last one, at the configured pace."""

    async def fetch_markets(self) -> list[dict[str, Any]]:
        """Its active spot markets as ccxt's market dictionaries. Raises: ExchangeError."""

    def use_markets(self, markets: list[dict[str, Any]]) -> bool:
        """Takes markets as if just fetched. Returns whether they tell all that it is to know."""

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        """One page, every row as the exchange sent it. Raises: ExchangeError."""

    async def close(self) -> None: ...


@runtime_checkable
class TradeClient(Protocol):
    """An exchange that can be asked for trades."""

    @property
    def trade_habits(self) -> TradeHabits | None:
        """How it answers; None where its trades are not to be had."""

    async def fetch_trades(self, market_symbol: str, cursor: int | None, limit: int) -> RawTrades:
        """One page from the cursor, or the newest trades; every row as the exchange sent it.

        `cursor` is as `trade_habits.cursor` says. Raises: ExchangeError.
        """
