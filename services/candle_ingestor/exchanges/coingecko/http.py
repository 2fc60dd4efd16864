"""Asks CoinGecko over HTTP: paced, through proxies, and no answer taken for what it is not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from candle_ingestor.exchanges.errors import (
    ExchangeError,
    MalformedAnswerError,
    NetworkFaultError,
    RequestRejectedError,
    shown_text,
)
from candle_ingestor.exchanges.network_causes import network_cause
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.statuses import FIRST_FAULT, RATE_LIMITED, error_by_status

BEYOND_PLAN = 10012
"""CoinGecko's code, under 401, for a range that the plan does not reach back to."""

_WHAT_OF_KEYS = (
    "check $COINGECKO__APIKEY, and that the key's plan is that of [coingecko.options] in "
    "--exchange_settings_file (demo, or pro)"
)

_WHAT_OF_COINS = (
    "if it is the coin that is gone, name another in [coingecko.ids] of --exchange_settings_file"
)

_UNAUTHORIZED = 401
_NOT_FOUND = 404
_TIMED_OUT = 408
_OK = 200


class CoinGeckoHttp:
    """Asks one address for JSON. Use it within one event loop, and close it.

    `seconds_per_request` is the least time between two requests. A redirection is not followed,
    since it would take the key along.
    """

    def __init__(
        self,
        address: str,
        headers: Mapping[str, str],
        seconds_per_request: float,
        timeout_seconds: float,
        proxies: Proxies,
    ) -> None:
        self.seconds_per_request = seconds_per_request
        self._address = address
        self._headers = {"accept": "application/json", **headers}
        self._timeout_seconds = timeout_seconds
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None
        self._next_at = 0.0

    async def get(self, path: str, parameters: Mapping[str, str]) -> Any:
        """The JSON value, an object or a list, that is answered for the path.

        Raises:
            ExchangeError: where there is none.
        """
        await self._wait_for_turn()
        url = f"{self._address}/api/v3{path}"
        try:
            async with self._opened().get(
                url,
                params=parameters,
                headers=self._headers,
                proxy=self._proxies.proxy_for(url),
                allow_redirects=False,
            ) as response:
                body = await response.text(errors="replace")
                status, answer_headers = response.status, response.headers
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = network_cause(error, self._timeout_seconds) or type(error).__name__
            raise NetworkFaultError(f"coingecko: {cause}") from error
        if status != _OK:
            raise error_of(status, answer_headers, body)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict | list):
            raise MalformedAnswerError(f"coingecko sent no whole JSON: {shown_text(body)!r}")
        return answer

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    async def _wait_for_turn(self) -> None:
        now = time.monotonic()
        turn_at = max(now, self._next_at)
        self._next_at = turn_at + self.seconds_per_request
        if turn_at > now:
            await asyncio.sleep(turn_at - now)


def error_of(status: int, headers: Mapping[str, str], body: str) -> ExchangeError:
    """What the failure table makes of an answer that is not 200."""
    said = f"coingecko answered {status}: {shown_text(body)}"
    if status != RATE_LIMITED and _code_in(body) == BEYOND_PLAN:
        return RequestRejectedError(f"{said}; a paid plan reaches further back")
    if status == _UNAUTHORIZED:
        said = f"{said}; {_WHAT_OF_KEYS}"
    error = error_by_status(status, headers, said)
    if error is not None:
        return error
    if status == _TIMED_OUT:
        return NetworkFaultError(said)
    if status == _NOT_FOUND:
        return RequestRejectedError(f"{said}; {_WHAT_OF_COINS}")
    if status >= FIRST_FAULT:
        return RequestRejectedError(said)
    return MalformedAnswerError(said)


def _code_in(body: str) -> Any:
    """CoinGecko's own code of an error, where the answer tells one."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(told, dict) and isinstance(told.get("error"), dict):
        told = told["error"]
    status = told.get("status") if isinstance(told, dict) else None
    return status.get("error_code") if isinstance(status, dict) else None
