"""Strict ccxt clients: nothing an exchange sends is dropped, cut or guessed on its way here.

ccxt alone takes a cut or foreign answer for an empty one, and filters, sorts and trims candle
rows. A minute would then look as if it had no trade. Of some exchanges it fills gaps with candles
of its own. The strict class refuses what is not JSON, and hands on every row with its raw form,
and no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ccxt.base import errors as ccxt_errors

from candle_ingestor.exchanges.ccxt.lean_import import exchange_class
from candle_ingestor.exchanges.ccxt.rows import read_rows, rows_of_columns
from candle_ingestor.exchanges.ccxt.trade_rows import read_trades
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    NetworkFaultError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
    shown_text,
)
from candle_ingestor.exchanges.habits import VolumeUnit, habits_of
from candle_ingestor.exchanges.network_causes import network_cause
from candle_ingestor.exchanges.statuses import FIRST_FAULT, error_by_status
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.operations.retry_after import retry_after_seconds

_has_number_texts: ContextVar[bool] = ContextVar("has_number_texts", default=False)


@contextmanager
def number_texts() -> Iterator[None]:
    """Within it, numbers of an answer are the texts that the exchange wrote."""
    token = _has_number_texts.set(True)
    try:
        yield
    finally:
        _has_number_texts.reset(token)


def strict_class(exchange: str) -> type[Any]:
    """ccxt's class of the exchange, made strict: see this module."""
    parent: Any = exchange_class(exchange)
    habits = habits_of(exchange, None)
    layout, volume_by_layout = habits.row_layout, habits.volume_unit is not VolumeUnit.BASE

    class StrictExchange(parent):  # type: ignore[misc]  # ccxt is untyped here
        def handle_errors(
            self,
            code: int,
            reason: str,
            url: str,
            method: str,
            headers: Mapping[str, str],
            body: str,
            response: Any,
            *request: Any,
        ) -> Any:
            def by_its_words() -> Any:
                return super(StrictExchange, self).handle_errors(
                    code, reason, url, method, headers, body, response, *request
                )

            return checked_answer(self.id, code, headers, body, response, by_its_words)

        last_request_cost = 1.0

        async def throttle(self, cost: float | None = None) -> Any:
            # With requests_per_minute set, each request counts as one.
            is_even = self.options.get("evenPace")
            self.last_request_cost = 1.0 if is_even or cost is None else cost
            return await super().throttle(self.last_request_cost)

        def parse_ohlcvs(self, ohlcvs: Any, market: Any = None, *_: Any, **__: Any) -> Any:
            rows = rows_of_columns(ohlcvs) if isinstance(ohlcvs, dict) else ohlcvs
            if not isinstance(rows, list):
                raise MalformedAnswerError(
                    f"{self.id}: candles are no list: {shown_text(str(ohlcvs))}"
                )
            return read_rows(
                rows,
                layout,
                lambda row: self.parse_ohlcv(row, market),
                volume_by_layout=volume_by_layout,
            )

        def insert_missing_candles(self, candles: Any, *_: Any) -> Any:
            return candles

        def on_json_response(self, response_body: str) -> Any:
            if _has_number_texts.get():
                return json.loads(response_body, parse_float=str, parse_int=str)
            return super().on_json_response(response_body)

        def parse_trades(self, trades: Any, market: Any = None, *_: Any, **__: Any) -> Any:
            trade_layout = TRADE_HABITS[self.id].layout
            return read_trades(trades, trade_layout, lambda row: self.parse_trade(row, market))

    return StrictExchange


def checked_answer(
    exchange: str,
    code: int,
    headers: Mapping[str, str],
    body: str,
    response: Any,
    by_its_words: Callable[[], Any],
) -> Any:
    """What ccxt makes of an answer, unless its status or its form tells that it is none.

    `by_its_words` asks ccxt, which raises for an error that the body tells. Some exchanges tell of
    a rate limit under the status of a server fault.
    """
    fault: ServerFaultError | None = None
    try:
        refuse_bad_answer(exchange, code, headers, body, response)
    except ServerFaultError as error:
        fault = error
    try:
        answer = by_its_words()
    except ccxt_errors.RateLimitExceeded as error:
        said = f"{exchange} answered {code}: {shown_text(body)}"
        raise RateLimitedError(said, retry_after_seconds(headers)) from error
    except Exception as error:
        if fault is None:
            raise
        raise fault from error
    if fault is not None:
        raise fault
    return answer


def refuse_bad_answer(
    exchange: str, code: int, headers: Mapping[str, str], body: str, response: Any
) -> None:
    """Raises what DESIGN's failure table makes of the answer; returns if it is a whole one."""
    if code < FIRST_FAULT:
        if not isinstance(response, dict | list):
            raise MalformedAnswerError(f"{exchange} sent no whole JSON: {shown_text(body)!r}")
        return
    said = f"{exchange} answered {code}: {shown_text(body)}"
    error = error_by_status(code, headers, said)
    if error is not None:
        raise error


def as_exchange_error(
    exchange: str, error: Exception, timeout_seconds: float | None = None
) -> ExchangeError:
    """The project's error for one that ccxt raised after a request of at most so many seconds."""
    if isinstance(error, ExchangeError):
        return error
    cause = network_cause(error, timeout_seconds)
    if cause is not None:
        return NetworkFaultError(f"{exchange}: {cause}")
    words = str(error).removeprefix(f"{exchange} ") or type(error).__name__
    said = shown_text(f"{exchange}: {words}")
    if isinstance(error, ccxt_errors.RequestTimeout):
        return NetworkFaultError(said)
    if isinstance(error, ccxt_errors.DDoSProtection | ccxt_errors.RateLimitExceeded):
        return RateLimitedError(said, None)
    if isinstance(error, ccxt_errors.AuthenticationError):
        return ExchangeRefusedError(said)
    if isinstance(error, ccxt_errors.BadResponse):
        return MalformedAnswerError(said)
    if isinstance(error, ccxt_errors.OperationFailed):
        return ServerFaultError(said)
    if isinstance(error, ccxt_errors.BaseError):
        return RequestRejectedError(said)
    return MalformedAnswerError(f"{exchange}: the answer cannot be read: {shown_text(repr(error))}")
