"""One exchange during one run: requests paced, retried and counted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.errors import (
    ExchangeRefusedError,
    NetworkFaultError,
    RateLimitedError,
    TransientExchangeError,
)
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import StopSignal

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


@dataclass
class RequestCounts:
    """What asking cost."""

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0


@dataclass
class ExchangeSession:
    """Asks one exchange for candles; after a refusal it is left alone for the rest of the run.

    A rate limit pauses every request to the exchange, not only the one that met it.
    """

    client: CandleClient
    policy: RetryPolicy
    stop: StopSignal
    refusal: ExchangeRefusedError | None = None
    _paused_until: float = field(default=0.0, init=False)

    @property
    def exchange(self) -> str:
        return self.client.exchange

    def is_left_alone(self) -> bool:
        """Whether the exchange has refused, so that nothing more is asked of it."""
        return self.refusal is not None

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
        """

        async def ask() -> RawRows:
            counts.requests += 1
            return await self.client.fetch_candles(market_symbol, timeframe, since_ms, limit)

        return await self._asking(ask, counts)

    async def fetch_markets(self, counts: RequestCounts) -> list[dict[str, Any]]:
        """The exchange's active spot markets, asked for like candles."""

        async def ask() -> list[dict[str, Any]]:
            counts.requests += 1
            return await self.client.fetch_markets()

        return await self._asking(ask, counts)

    async def _asking(self, ask: Callable[[], Awaitable[Answer]], counts: RequestCounts) -> Answer:
        async def ask_unless_refused() -> Answer:
            await self._wait_out_pause()
            if self.refusal is not None:
                raise self.refusal
            try:
                async with self.stop.in_hand():
                    return await ask()
            except TimeoutError as error:
                raise NetworkFaultError(
                    f"{self.exchange}: gave up waiting, since the run is to stop"
                ) from error

        def on_retry(error: TransientExchangeError, wait_seconds: float) -> None:
            counts.retries += 1
            if isinstance(error, RateLimitedError):
                self._paused_until = max(self._paused_until, time.monotonic() + wait_seconds)
            log.info("Trying again in %.1f s: %s", wait_seconds, error)

        started = time.monotonic()
        try:
            return await self.policy.run(
                ask_unless_refused,
                seconds_left=self.stop.seconds_left,
                sleep=self.stop.sleep,
                on_retry=on_retry,
            )
        except ExchangeRefusedError as error:
            self._leave_alone(error)
            raise
        finally:
            counts.seconds += time.monotonic() - started

    async def _wait_out_pause(self) -> None:
        while (wait_seconds := self._paused_until - time.monotonic()) > 0:
            await self.stop.sleep(wait_seconds)
            if self.stop.is_set():
                return

    def _leave_alone(self, error: ExchangeRefusedError) -> None:
        if self.refusal is None:
            self.refusal = error
            log.critical(
                "%s refuses requests and is left alone for this run: %s", self.exchange, error
            )


async def close_all(sessions: list[ExchangeSession]) -> None:
    """Closes the clients, whatever happens to any one of them."""
    results = await asyncio.gather(
        *(session.client.close() for session in sessions), return_exceptions=True
    )
    for session, result in zip(sessions, results, strict=True):
        if isinstance(result, Exception):
            log.debug("Closing %s: %s", session.exchange, result)
