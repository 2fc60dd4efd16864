"""Asks a simulator on the wire."""

from collections.abc import Mapping

import aiohttp
from exchange_wires import Wire

from exchange_simulator import ExchangeSimulator


class Asker:
    """Asks one simulator for candles by path and query."""

    def __init__(
        self, simulator: ExchangeSimulator, http: aiohttp.ClientSession, wires: Mapping[str, Wire]
    ) -> None:
        self._simulator, self._http, self._wires = simulator, http, wires

    async def text(self, exchange: str, path: str) -> tuple[int, str]:
        async with self._http.get(self._simulator.base_url(exchange) + path) as answer:
            return answer.status, await answer.text()

    async def times(self, exchange: str, path: str) -> list[int]:
        """The open times of the rows in the order sent."""
        status, text = await self.text(exchange, path)
        assert status == 200, text
        return [row[0] for row in self._wires[exchange].candles(text)]
