"""The HTTP side: one port, a path prefix per exchange, and the simulator's own endpoints."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web

from exchange_simulator.clock import SimulatorClock
from exchange_simulator.dialects.base import ApiError, Query, TradesEndpoint
from exchange_simulator.exchange import SimulatedExchange
from exchange_simulator.faults import (
    HOLE_FAULTS,
    HTTP_STATUS_FAULTS,
    RETRY_AFTER_SECONDS,
    ROW_FAULTS,
    FaultPlan,
    RowShape,
)
from exchange_simulator.requests_log import RequestsLog
from exchange_simulator.trade_faults import TRADE_FAULTS

__all__ = ["SimulatorServer"]

LONGEST_STALL_SECONDS = 600.0
_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We will be back soon</h1></body></html>"
)


class SimulatorServer:
    """Answers the requests of all exchanges. `faults` may be replaced while it runs."""

    def __init__(
        self,
        exchanges: Mapping[str, SimulatedExchange],
        clock: SimulatorClock,
        requests: RequestsLog,
        faults: FaultPlan,
    ) -> None:
        self.faults = faults
        self._exchanges = exchanges
        self._clock = clock
        self._requests = requests
        self._requests_ever = dict.fromkeys(exchanges, 0)
        self._stopping = asyncio.Event()

    def application(self) -> web.Application:
        """The aiohttp application; to be run with `handler_cancellation`."""
        application = web.Application()
        application.router.add_get("/", self._index)
        application.router.add_get("/_clock", self._read_clock)
        application.router.add_post("/_clock", self._set_clock)
        application.router.add_get("/_requests", self._read_requests)
        application.router.add_delete("/_requests", self._reset_requests)
        application.router.add_route("*", "/{exchange}{path:/.*}", self._exchange_request)
        return application

    def end_stalls(self) -> None:
        """Give up all stalled requests, so that stopping need not wait for them."""
        self._stopping.set()

    async def _index(self, request: web.Request) -> web.Response:
        origin = str(request.url.origin())
        return web.json_response(
            {
                "now_ms": self._clock.now_ms(),
                "exchanges": {name: f"{origin}/{name}" for name in self._exchanges},
                "own_endpoints": ["/_clock", "/_requests"],
            }
        )

    async def _read_clock(self, _request: web.Request) -> web.Response:
        return web.json_response({"now_ms": self._clock.now_ms(), "frozen": self._clock.frozen})

    async def _set_clock(self, request: web.Request) -> web.Response:
        """Takes one of `now_ms` and `advance_ms`, and `frozen=true` or `false`."""
        query = request.query
        try:
            now_ms = int(query["now_ms"]) if "now_ms" in query else None
            advance_ms = int(query["advance_ms"]) if "advance_ms" in query else None
            frozen = {"true": True, "false": False}[query["frozen"]] if "frozen" in query else None
        except (ValueError, KeyError):
            raise _bad_clock(
                "now_ms and advance_ms are whole numbers, frozen true or false"
            ) from None
        if (now_ms is None) + (advance_ms is None) + (frozen is None) == 3 or not (
            now_ms is None or advance_ms is None
        ):
            raise _bad_clock("give now_ms or advance_ms (not both), or frozen")
        if frozen is not None:
            self._clock.freeze(frozen)
        if now_ms is not None:
            self._clock.set(now_ms)
        if advance_ms is not None:
            self._clock.advance(advance_ms)
        return await self._read_clock(request)

    async def _read_requests(self, _request: web.Request) -> web.Response:
        return web.json_response({"exchanges": self._requests.as_json()})

    async def _reset_requests(self, _request: web.Request) -> web.Response:
        self._requests.reset()
        return web.Response(status=204)

    async def _exchange_request(self, request: web.Request) -> web.StreamResponse:
        exchange = self._exchanges.get(request.match_info["exchange"])
        if exchange is None:
            return web.json_response(
                {"message": f"no such exchange here; simulated: {', '.join(self._exchanges)}"},
                status=404,
            )
        path = request.match_info["path"]
        match = exchange.dialect.candle_path.fullmatch(path)
        if match is not None and request.method == "GET":
            return await self._candles(request, exchange, match.groupdict().get("market"))
        trades = exchange.dialect.trades
        match = None if trades is None else trades.path.fullmatch(path)
        if trades is not None and match is not None and request.method == "GET":
            return await self._trades(request, exchange, trades, match.groupdict().get("market"))
        self._requests.add_other_request(exchange.dialect.exchange)
        endpoint = exchange.dialect.endpoints.get(path)
        if endpoint is None:
            return _json(json.dumps(exchange.dialect.refusal(404)), 404)
        listing = exchange.listing(self._clock.now_ms(), _query_of(request, exchange))
        try:
            return _json(json.dumps(endpoint(listing)))
        except ApiError as error:
            return _json(error.text, error.status)

    async def _candles(
        self, request: web.Request, exchange: SimulatedExchange, path_market: str | None
    ) -> web.StreamResponse:
        number, fault = self._drawn(exchange)
        self._requests.add_candle_request(exchange.dialect.exchange, request.path_qs, fault)

        def page() -> str:
            return self._page(request, exchange, path_market, fault, number)

        return await self._answer(request, exchange, fault, page)

    async def _trades(
        self,
        request: web.Request,
        exchange: SimulatedExchange,
        endpoint: TradesEndpoint,
        path_market: str | None,
    ) -> web.StreamResponse:
        number, fault = self._drawn(exchange)
        self._requests.add_trade_request(exchange.dialect.exchange, request.path_qs, fault)

        def page() -> str:
            return self._trades_page(request, exchange, endpoint, path_market, fault, number)

        return await self._answer(request, exchange, fault, page)

    def _drawn(self, exchange: SimulatedExchange) -> tuple[int, str | None]:
        """The number of a request for candles or trades, and the fault that hits it."""
        name = exchange.dialect.exchange
        number = self._requests_ever[name]
        self._requests_ever[name] = number + 1
        return number, self.faults.draw(name, number)

    async def _answer(
        self,
        request: web.Request,
        exchange: SimulatedExchange,
        fault: str | None,
        page: Callable[[], str],
    ) -> web.StreamResponse:
        status = HTTP_STATUS_FAULTS.get(fault or "")
        if status is not None:
            response = _json(json.dumps(exchange.dialect.refusal(status)), status)
            if fault == "429_retry_after":
                response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        if fault == "html":
            return web.Response(text=_MAINTENANCE_PAGE, content_type="text/html")
        if fault == "stall":
            return await self._stall(request)
        try:
            text = page()
        except ApiError as error:
            return _json(error.text, error.status)
        if fault == "cut_json":
            return _json(text[: len(text) * 2 // 3])
        if fault == "dropped_connection":
            return await _drop_midway(request, text)
        return _json(text)

    def _page(
        self,
        request: web.Request,
        exchange: SimulatedExchange,
        path_market: str | None,
        fault: str | None,
        number: int,
    ) -> str:
        dialect = exchange.dialect
        now_ms = self._clock.now_ms()
        query = _query_of(request, exchange)
        candles = dialect.decode(path_market, query, exchange.listing(now_ms, query))
        rows = exchange.rows(candles, now_ms)
        texts = list(rows.texts)
        if dialect.descending:
            texts.reverse()
        spoil = ROW_FAULTS.get(fault or "") or HOLE_FAULTS.get(fault or "")
        if spoil is not None and texts:
            half_candle = candles.selection.timeframe_ms // 2 // dialect.time_unit_ms
            texts = spoil(
                texts,
                RowShape(dialect.row_fields, half_candle),
                self.faults.random(dialect.exchange, number),
            )
        return dialect.encode_page(candles, rows, texts, now_ms)

    def _trades_page(
        self,
        request: web.Request,
        exchange: SimulatedExchange,
        endpoint: TradesEndpoint,
        path_market: str | None,
        fault: str | None,
        number: int,
    ) -> str:
        now_ms = self._clock.now_ms()
        listing = exchange.listing(now_ms, request.query)
        asked = endpoint.decode(path_market, request.query, listing)
        trades = exchange.trades(asked, now_ms)
        texts = endpoint.encode_rows(trades)
        spoil = TRADE_FAULTS.get(fault or "")
        if spoil is not None and texts:
            random = self.faults.random(exchange.dialect.exchange, number)
            texts = spoil(texts, endpoint.row_fields, random)
        return endpoint.encode_page(asked, trades, texts, now_ms)

    async def _stall(self, request: web.Request) -> web.Response:
        """No answer until the client gives up (then this is cancelled) or the server stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), LONGEST_STALL_SECONDS)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=504)  # into the void: the connection is gone


def _query_of(request: web.Request, exchange: SimulatedExchange) -> Query:
    headers = exchange.dialect.key_headers
    keys = {
        name.replace("-", "_"): request.headers[name] for name in headers if name in request.headers
    }
    return {**request.query, **keys}


async def _drop_midway(request: web.Request, text: str) -> web.StreamResponse:
    body = text.encode()
    response = web.StreamResponse()
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _bad_clock(message: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text=json.dumps({"message": message}), content_type="application/json"
    )


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")
