"""What a run works with and does not own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.markets import MarketsCache
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import Store


async def _nothing_more() -> None:
    pass


@dataclass(frozen=True)
class RunParts:
    """The real parts that `main` wires, or others that a test passes; they outlive a run.

    `when_fetched` is awaited, beside all that follows, once nothing more is asked of an exchange.
    """

    store: Store
    clients: Sequence[CandleClient]
    markets_cache: MarketsCache
    clock: Clock
    progress: Progress
    stop: StopSignal
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    when_fetched: Callable[[], Awaitable[object]] = _nothing_more
