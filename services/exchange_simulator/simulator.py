"""The simulator as an object: started and stopped in a running event loop, or in a thread."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from aiohttp import web

from exchange_simulator.clock import SimulatorClock
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.dialects import DIALECTS
from exchange_simulator.exchange import (
    SimulatedExchange,
    TrueCandle,
    recorded_exchange,
    synthetic_exchange,
)
from exchange_simulator.faults import Fault, FaultPlan
from exchange_simulator.recordings import load_recordings
from exchange_simulator.requests_log import RequestsLog
from exchange_simulator.series import SeriesCaches
from exchange_simulator.server import SimulatorServer
from exchange_simulator.settings import write_settings
from exchange_simulator.synthetic import SyntheticPrices

__all__ = ["ExchangeSimulator", "running_simulator"]


class ExchangeSimulator:
    """Local HTTP exchanges. `async with ExchangeSimulator(config) as simulator: …`

    Making it reads the recordings, if any (RecordingError); starting it binds the port
    (OSError). `clock`, `requests`, `set_faults` and `true_candles` may be used from any thread.
    """

    def __init__(
        self, config: SimulatorConfig | None = None, *, clock: SimulatorClock | None = None
    ) -> None:
        self.config = config or SimulatorConfig()
        self.clock = clock or SimulatorClock()
        self.requests = RequestsLog(self.config.exchanges)
        self.exchanges = _exchanges(self.config, self.clock.now_ms())
        self._server = SimulatorServer(
            self.exchanges,
            self.clock,
            self.requests,
            FaultPlan(self.config.faults, self.config.seed),
        )
        self._runner: web.AppRunner | None = None
        self._port: int | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`. Raises RuntimeError before the start."""
        if self._port is None:
            raise RuntimeError("the simulator has not been started")
        host = "127.0.0.1" if self.config.host in ("0.0.0.0", "::", "") else self.config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def base_url(self, exchange: str) -> str:
        """The address that stands for scheme and host of all of an exchange's."""
        return f"{self.url}/{exchange}"

    def write_settings(self, path: Path) -> Path:
        """Write the exchange settings file that sends the job here; returns its path."""
        write_settings(path, self.url, self.exchanges)
        return path

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Inject these from now on in place of the former ones."""
        self._server.faults = FaultPlan(tuple(faults), self.config.seed)

    def true_candles(
        self, exchange: str, symbol: str, timeframe_ms: int, start_ms: int, end_ms: int
    ) -> list[TrueCandle]:
        """The final candles that open in `[start_ms, end_ms)` (SimulatedExchange.true_candles)."""
        return self.exchanges[exchange].true_candles(symbol, timeframe_ms, start_ms, end_ms)

    async def start(self) -> None:
        """Listen. Raises OSError when the port cannot be had."""
        runner = web.AppRunner(
            self._server.application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.config.host, self.config.port)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; requests that stall are ended at once. Does nothing when stopped."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._server.end_stalls()
            await runner.cleanup()

    async def __aenter__(self) -> "ExchangeSimulator":
        await self.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.stop()


@contextmanager
def running_simulator(
    config: SimulatorConfig | None = None, *, clock: SimulatorClock | None = None
) -> Iterator[ExchangeSimulator]:
    """A simulator running in a thread of its own for the `with` block."""
    simulator = ExchangeSimulator(config, clock=clock)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="exchange-simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.start(), loop).result()
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _exchanges(config: SimulatorConfig, start_ms: int) -> dict[str, SimulatedExchange]:
    caches = SeriesCaches.of_default_size()
    if not config.recordings:
        prices = SyntheticPrices(config.seed)
        return {
            exchange: synthetic_exchange(DIALECTS[exchange], config, prices, caches, start_ms)
            for exchange in config.exchanges
        }
    recordings = load_recordings(
        config.recordings, config.exchanges, end_ms=start_ms if config.shift_to_now else None
    )
    return {
        exchange: recorded_exchange(
            DIALECTS[exchange],
            [recording for recording in recordings if recording.exchange == exchange],
            caches,
        )
        for exchange in config.exchanges
    }
