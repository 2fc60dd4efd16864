"""One exchange during one run. The client misbehaves on request; time is that of the event loop."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from candle_ingestor.exchanges import session as session_module
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    NetworkFaultError,
    RateLimitedError,
    RunEndedError,
    ServerFaultError,
)
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import TIME_LIMIT, StopSignal

PAGE = RawRows.from_rows([], [])


class VirtualTime(StopSignal):
    """A stop signal that sleeps in the time it tells; `limit` is when the run ends, if it does."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limit: float | None = None

    def seconds_left(self) -> float | None:
        return None if self.limit is None else max(0.0, self.limit - self.now)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wakes = self.now + seconds
        while self.now < wakes:
            await asyncio.sleep(0)
            self.now = min(wakes, self.now + 0.5)


@dataclass
class Client:
    """Answers with the errors it holds, in their order, then with a page."""

    errors: list[ExchangeError] = field(default_factory=list)
    clock: VirtualTime | None = None
    asked_at: list[float] = field(default_factory=list)
    hangs: bool = False
    closed: int = 0
    exchange: str = "kraken"
    habits: ExchangeHabits = field(default_factory=lambda: ExchangeHabits("kraken", 720))
    timeframes: Sequence[str] = ("1m",)
    address: str = "default"
    seconds_per_request: float = 0.0

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        self.asked_at.append(self.clock.now if self.clock else 0.0)
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)
        return PAGE

    async def fetch_markets(self) -> list[dict[str, Any]]:
        await self.fetch_candles("", Timeframe(1), 0, 0)
        return [{"symbol": "BTC/USD"}]

    def use_markets(self, markets: list[dict[str, Any]]) -> bool:
        raise AssertionError("not used here")

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    virtual = VirtualTime()
    monkeypatch.setattr(session_module, "time", virtual)
    return virtual


def session_of(client: Client, stop: StopSignal) -> ExchangeSession:
    return ExchangeSession(client, RetryPolicy(), stop)


async def fetch(session: ExchangeSession, counts: RequestCounts | None = None) -> RawRows:
    return await session.fetch_candles(
        "BTC/USD", Timeframe(1), 0, 10, RequestCounts() if counts is None else counts
    )


async def test_requests_retries_and_seconds_are_counted(time: VirtualTime) -> None:
    client = Client([ServerFaultError("500"), RateLimitedError("429", 10.0)], time)
    counts = RequestCounts()

    assert await fetch(session_of(client, time), counts) is PAGE

    assert (counts.requests, counts.retries) == (3, 2)
    assert counts.seconds >= 10.0


async def test_seconds_of_requests_side_by_side_count_once(time: VirtualTime) -> None:
    session = session_of(Client([RateLimitedError("429", 10.0)], time), time)
    counts = [RequestCounts(), RequestCounts()]
    began = time.now

    await asyncio.gather(*(fetch(session, each) for each in counts))

    took = time.now - began
    assert took >= 10.0
    assert session.totals.seconds == took
    assert session.totals.requests == sum(each.requests for each in counts) == 3
    assert session.totals.retries == sum(each.retries for each in counts) == 1


async def test_a_rate_limit_pauses_every_request_to_the_exchange(time: VirtualTime) -> None:
    client = Client([RateLimitedError("429", 60.0)], time)
    session = session_of(client, time)

    first = asyncio.create_task(fetch(session))
    for _ in range(10):
        await asyncio.sleep(0)
    assert 0 < time.now < 60
    others = [asyncio.create_task(fetch(session)) for _ in range(3)]
    await asyncio.gather(first, *others)

    assert client.asked_at[0] == 0.0
    assert len(client.asked_at) == 5
    assert all(asked >= 60.0 for asked in client.asked_at[1:])


async def test_a_rate_limit_that_outlasts_the_run_leaves_the_exchange_alone(
    time: VirtualTime,
) -> None:
    time.limit = 30.0
    client = Client([RateLimitedError("429", 60.0)], time)
    session = session_of(client, time)

    for _ in range(3):
        with pytest.raises(RunEndedError):
            await fetch(session)

    assert client.asked_at == [0.0]
    assert time.now == 0.0
    assert time.reason == TIME_LIMIT
    assert session.refusal is None


async def test_another_fault_pauses_only_its_own_request(time: VirtualTime) -> None:
    client = Client([ServerFaultError("500")], time)
    session = session_of(client, time)

    first = asyncio.create_task(fetch(session))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    started = time.now
    await fetch(session)
    assert client.asked_at[1] == started
    await first


async def test_after_a_refusal_nothing_more_is_asked(
    time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client([ExchangeRefusedError("kraken answered 403: go away")], time)
    session = session_of(client, time)

    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            with pytest.raises(ExchangeRefusedError, match="go away"):
                await fetch(session)
        with pytest.raises(ExchangeRefusedError):
            await session.fetch_markets(RequestCounts())

    assert session.refusal is not None
    assert len(client.asked_at) == 1
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    assert "kraken refuses requests and is left alone" in caplog.records[0].getMessage()


async def test_each_try_that_failed_is_told_with_its_cause_and_the_exchange_once(
    time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[ExchangeError] = [
        RateLimitedError("kraken answered 429: slow down", 60.0),
        NetworkFaultError("kraken: cannot resolve the name api.kraken.com"),
    ]

    with caplog.at_level(logging.WARNING):
        await fetch(session_of(Client(faults, time), time))

    limited, unresolved = caplog.messages
    assert limited.startswith(
        "Failed to fetch from kraken: Rate limit exceeded: answered 429: slow down; trying again in"
    )
    assert unresolved.startswith(
        "Failed to fetch from kraken: cannot resolve the name api.kraken.com; trying again in "
    )
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


async def test_requests_that_wait_while_another_is_refused_are_not_sent(time: VirtualTime) -> None:
    client = Client([RateLimitedError("429", 5.0), ExchangeRefusedError("418")], time)
    session = session_of(client, time)

    results = await asyncio.gather(*(fetch(session) for _ in range(2)), return_exceptions=True)

    assert any(isinstance(result, ExchangeRefusedError) for result in results)
    assert len(client.asked_at) == 2


async def test_markets_are_asked_for_like_candles(time: VirtualTime) -> None:
    client = Client([ServerFaultError("500")], time)
    counts = RequestCounts()

    assert await session_of(client, time).fetch_markets(counts) == [{"symbol": "BTC/USD"}]
    assert (counts.requests, counts.retries) == (2, 1)


async def test_a_stop_ends_waiting_and_the_request_is_not_tried_again() -> None:
    stop = StopSignal()
    client = Client([RateLimitedError("429", 60.0)])
    waiting = asyncio.create_task(fetch(session_of(client, stop)))
    for _ in range(5):
        await asyncio.sleep(0)

    stop.request("SIGTERM", is_urgent=True)
    with pytest.raises(RunEndedError, match="kraken: gave up waiting"):
        await asyncio.wait_for(waiting, timeout=5)

    assert len(client.asked_at) == 1


async def test_a_request_that_waits_for_a_pause_to_end_is_not_sent_after_the_stop() -> None:
    stop = StopSignal()
    client = Client([RateLimitedError("429", 60.0)])
    session = session_of(client, stop)
    first = asyncio.create_task(fetch(session))
    for _ in range(5):
        await asyncio.sleep(0)
    markets = asyncio.create_task(session.fetch_markets(RequestCounts()))
    await asyncio.sleep(0)

    stop.request("SIGTERM", is_urgent=True)

    results = await asyncio.gather(first, markets, return_exceptions=True)
    assert [type(result) for result in results] == [RunEndedError, RunEndedError]
    assert len(client.asked_at) == 1


async def test_a_request_that_hangs_is_given_up_soon_after_the_stop() -> None:
    stop = StopSignal(grace_seconds=0.01)
    client = Client(hangs=True)
    waiting = asyncio.create_task(fetch(session_of(client, stop)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()

    stop.request("SIGTERM", is_urgent=True)

    with pytest.raises(RunEndedError, match="kraken: gave up waiting"):
        await asyncio.wait_for(waiting, timeout=5)


async def test_an_answer_that_comes_within_the_grace_is_taken() -> None:
    stop = StopSignal(grace_seconds=5)
    waiting = asyncio.create_task(fetch(session_of(Client(), stop)))
    await asyncio.sleep(0)

    stop.request("SIGTERM", is_urgent=True)

    assert await waiting is PAGE


async def test_all_clients_are_closed_whatever_happens_to_one() -> None:
    class Stubborn(Client):
        async def close(self) -> None:
            await super().close()
            raise OSError("already gone")

    clients = [Client(), Stubborn(), Client()]

    await close_all(clients)

    assert [client.closed for client in clients] == [1, 1, 1]
