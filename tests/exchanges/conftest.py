from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from exchange_simulator import ExchangeSimulator, Fault, SimulatorClock, SimulatorConfig

# 2024-03-05T12:34:50Z
NOW_MS = 1_709_642_090_000

StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]
Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


@pytest.fixture
def now_ms() -> int:
    return NOW_MS


@pytest.fixture
async def start_simulator() -> AsyncIterator[StartSimulator]:
    """`await start_simulator(*faults, **config)`: simulated exchanges whose clock stands still."""
    async with AsyncExitStack() as stack:

        async def start(*faults: Fault, **config: Any) -> ExchangeSimulator:
            simulator = ExchangeSimulator(
                SimulatorConfig(faults=faults, **config),
                clock=SimulatorClock(NOW_MS, frozen=True),
            )
            return await stack.enter_async_context(simulator)

        yield start


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(answer)`: the address of an HTTP server that answers every request so."""
    runners: list[web.AppRunner] = []

    async def start(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()
