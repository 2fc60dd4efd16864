"""One exchange during one run: requests paced, retried and counted."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from candle_ingestor.exchanges.client import CandleClient, TradeClient
from candle_ingestor.exchanges.errors import (
    ExchangeRefusedError,
    RateLimitedError,
    RequestRejectedError,
    RunEndedError,
    TransientExchangeError,
    words_without,
)
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.trade_habits import TradeHabits
from candle_ingestor.exchanges.trades import RawTrades
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.stopping import StopSignal

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


@dataclass
class RequestCounts:
    """What asking cost.

    Attributes:
        retries: requests that were sent again, after an error that may pass.
        seconds: time during which some request was being asked, waits and retries included; of
            requests side by side it counts once.
    """

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    _in_hand: int = field(default=0, init=False, repr=False, compare=False)
    _since: float = field(default=0.0, init=False, repr=False, compare=False)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Counts the time within as one of being asked."""
        if not self._in_hand:
            self._since = time.monotonic()
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self.seconds += time.monotonic() - self._since


def _tell_nobody(market_symbol: str, timeframe: Timeframe) -> None:
    pass


@dataclass
class ExchangeSession:
    """Asks one exchange for candles; after a refusal it is left alone for the rest of the run.

    `witnesses` are markets that are traded all the time, if the exchange has such; they tell
    whether it shows candles at all. `has_shown_rows` says that it has, in this run. `totals` are
    of all that was asked.

    A rate limit pauses every request to the exchange, not only the one that met it.
    `when_asked` hears of each request for candles: of which market and timeframe.
    """

    client: CandleClient
    policy: RetryPolicy
    stop: StopSignal
    totals: RequestCounts = field(default_factory=RequestCounts)
    refusal: ExchangeRefusedError | None = None
    has_shown_rows: bool = False
    witnesses: tuple[str, ...] = ()
    when_asked: Callable[[str, Timeframe], object] = _tell_nobody
    _paused_until: float = field(default=0.0, init=False)

    @property
    def exchange(self) -> str:
        return self.client.exchange

    @property
    def habits(self) -> ExchangeHabits:
        return self.client.habits

    @property
    def timeframes(self) -> Sequence[str]:
        """The timeframes it offers, as ccxt names them."""
        return self.client.timeframes

    @property
    def seconds_per_request(self) -> float:
        """The least time between two requests like the last one, at the configured pace."""
        return self.client.seconds_per_request

    async def fetch_candles(
        self,
        market_symbol: str,
        timeframe: Timeframe,
        since_ms: int,
        limit: int,
        counts: RequestCounts,
    ) -> RawRows:
        """One page; `counts` grows by what it cost.

        Raises:
            ExchangeError: when DESIGN's failure table says that the page fails.
            RunEndedError: when the run ended before there was an answer.
        """

        async def ask() -> RawRows:
            self.when_asked(market_symbol, timeframe)
            asked_at = time.monotonic()
            rows = await self.client.fetch_candles(market_symbol, timeframe, since_ms, limit)
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "%s %s %s: %d rows for %s to %s in %.0f ms",
                    self.exchange,
                    market_symbol,
                    timeframe,
                    rows.frame.height,
                    iso_text(since_ms),
                    iso_text(since_ms + limit * timeframe.duration_ms),
                    (time.monotonic() - asked_at) * 1000,
                )
            return rows

        rows = await self._asking(ask, counts)
        self.has_shown_rows = self.has_shown_rows or not rows.frame.is_empty()
        return rows

    @property
    def trade_habits(self) -> TradeHabits | None:
        """How it answers requests for trades; None where they are not to be had."""
        return self.client.trade_habits if isinstance(self.client, TradeClient) else None

    async def fetch_trades(
        self, market_symbol: str, cursor: int | None, limit: int, counts: RequestCounts
    ) -> RawTrades:
        """One page of trades, as TradeClient has it; counts and raises like `fetch_candles`."""
        client = self.client
        if not isinstance(client, TradeClient):
            raise RequestRejectedError(f"{self.exchange}: it has no trades to ask for")

        async def ask() -> RawTrades:
            trades = await client.fetch_trades(market_symbol, cursor, limit)
            log.debug(
                "%s %s: %d trades from %s", self.exchange, market_symbol, len(trades.raw), cursor
            )
            return trades

        return await self._asking(ask, counts)

    async def fetch_markets(self, counts: RequestCounts) -> list[dict[str, Any]]:
        """The exchange's active spot markets, asked for like candles; raises the same."""

        return await self._asking(self.client.fetch_markets, counts)

    async def _asking(self, ask: Callable[[], Awaitable[Answer]], counts: RequestCounts) -> Answer:
        is_repeated = False

        async def ask_unless_refused() -> Answer:
            nonlocal is_repeated
            if is_repeated and self.stop.is_set():
                raise self._run_ended()
            is_repeated = True
            await self._wait_out_pause()
            if self.refusal is not None:
                raise self.refusal
            try:
                async with self.stop.in_hand():
                    self._add(counts, requests=1)
                    return await ask()
            except TimeoutError as error:
                raise self._run_ended() from error

        def on_retry(error: TransientExchangeError, wait_seconds: float) -> None:
            self._add(counts, retries=1)
            if isinstance(error, RateLimitedError):
                self._paused_until = max(self._paused_until, time.monotonic() + wait_seconds)
            log.warning(
                "Failed to fetch from %s: %s%s; trying again in %.1f s",
                self.exchange,
                "Rate limit exceeded: " if isinstance(error, RateLimitedError) else "",
                words_without(self.exchange, error),
                wait_seconds,
            )

        try:
            with counts.asking(), self.totals.asking():
                return await self.policy.run(
                    ask_unless_refused,
                    seconds_left=self.stop.seconds_left,
                    sleep=self.stop.sleep,
                    on_retry=on_retry,
                )
        except ExchangeRefusedError as error:
            self._leave_alone(error)
            raise
        except RunEndedError as error:
            self.stop.note_cut_short()
            if isinstance(error.__cause__, RateLimitedError):
                # Nothing more is asked in what is left of the run.
                self._paused_until = math.inf
            raise

    def _add(self, counts: RequestCounts, *, requests: int = 0, retries: int = 0) -> None:
        for each in (counts, self.totals):
            each.requests += requests
            each.retries += retries

    async def _wait_out_pause(self) -> None:
        while (wait_seconds := self._paused_until - time.monotonic()) > 0:
            left = self.stop.seconds_left()
            if left is not None and wait_seconds >= left:
                raise self._run_ended()
            await self.stop.sleep(wait_seconds)
            if self.stop.is_set():
                raise self._run_ended()

    def _run_ended(self) -> RunEndedError:
        return RunEndedError(f"{self.exchange}: gave up waiting, since the run is to stop")

    def _leave_alone(self, error: ExchangeRefusedError) -> None:
        if self.refusal is None:
            self.refusal = error
            log.critical(
                "%s refuses requests and is left alone for this run: %s",
                self.exchange,
                words_without(self.exchange, error),
            )


async def close_all(clients: Sequence[CandleClient]) -> None:
    """Closes the clients, whatever happens to any one of them."""
    results = await asyncio.gather(*(each.close() for each in clients), return_exceptions=True)
    for client, result in zip(clients, results, strict=True):
        if isinstance(result, Exception):
            log.debug("Closing %s: %s", client.exchange, result)
