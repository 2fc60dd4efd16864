"""What a dialect is: an exchange as a row of data with functions that read and write its JSON."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from exchange_simulator.markets import Market
from exchange_simulator.number_text import NumberTexts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = [
    "ApiError",
    "CandleRequest",
    "Dialect",
    "Listing",
    "Query",
    "RowFields",
    "TradeRequest",
    "TradeRow",
    "TradesEndpoint",
    "bare_page",
    "integer_parameter",
    "page_of",
]

Query: TypeAlias = Mapping[str, str]
Json: TypeAlias = Any  # a JSON value on its way to json.dumps


class ApiError(Exception):
    """The exchange's own answer to a request that it refuses."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.text = json.dumps(body)


class RowFields(NamedTuple):
    """Where the fields of a candle stand in a row: list positions or object keys."""

    time: int | str
    open: int | str
    high: int | str
    low: int | str
    close: int | str
    volume: int | str


@dataclass(frozen=True, slots=True)
class Listing:
    """An exchange's markets by every name that requests may use, and a request's time and query.

    A request for candles has its query handed on beside the listing.
    """

    markets: Sequence[Market]
    by_id: Mapping[str, Market]
    serves: Callable[[Market, int], bool]  # (market, timeframe_ms)
    now_ms: int
    query: Query = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """A candle request understood: which market's rows, and which of them."""

    market: Market
    selection: Selection
    timeframe_name: str


class TradeRow(NamedTuple):
    """One trade with its price and amount in wire text."""

    time_ns: int
    price: str
    amount: str
    id: int


@dataclass(frozen=True, slots=True)
class TradeRequest:
    """A request for trades understood: of one market, at most `limit` of them.

    With `since_ns` the first ones later than that, else the last ones before `before_id`, else
    the last of all.
    """

    market: Market
    limit: int
    since_ns: int | None = None
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class TradesEndpoint:
    """How an exchange answers requests for trades; like the same fields of a Dialect."""

    path: re.Pattern[str]
    decode: Callable[[str | None, Query, Listing], TradeRequest]
    encode_rows: Callable[[Sequence[TradeRow]], list[str]]  # in the order they are sent
    encode_page: Callable[[TradeRequest, Sequence[TradeRow], Sequence[str], int], str]
    row_fields: Mapping[str, int | str]  # of time, price and amount


@dataclass(frozen=True, slots=True)
class Dialect:
    """One exchange's wire format and habits.

    `candle_path` matches the path (without the exchange prefix) of candle requests; its group
    `market`, where it has one, holds the market's id, or which of several paths was asked.
    `decode` reads such a request and raises ApiError as the exchange would. `endpoints` are the
    other paths; they raise ApiError, too. `refusal` is the body that goes with an HTTP error
    status. A header of `key_headers` may be given as a parameter of that name with underscores, and
    is read as one.
    """

    exchange: str
    timeframes: Mapping[str, int]  # the exchange's name of each timeframe to milliseconds
    page_limit: int
    sends_idle_bars: bool
    descending: bool
    number_texts: NumberTexts
    time_unit_ms: int
    row_fields: RowFields
    candle_path: re.Pattern[str]
    market_ids: Callable[[Market], Sequence[str]]  # the first is the one in answers
    decode: Callable[[str | None, Query, Listing], CandleRequest]
    encode_rows: Callable[[TextColumns, int], list[str]]
    encode_page: Callable[[CandleRequest, EncodedRows, Sequence[str], int], str]
    endpoints: Mapping[str, Callable[[Listing], Json]]
    refusal: Callable[[int], Json]
    day_opens_at_ms: int = 0  # when its candles of a day open, after midnight UTC
    other_markets: Sequence[Market] = ()  # listed beside the traded ones: halted, perpetual
    trades: TradesEndpoint | None = None  # None: it answers none here
    key_headers: Sequence[str] = ()


def page_of(rows: Sequence[str]) -> str:
    """A JSON list of prepared rows."""
    return f"[{','.join(rows)}]"


def bare_page(
    _request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    """An `encode_page` of an exchange that answers the list of rows and nothing else."""
    return page_of(texts)


def integer_parameter(query: Query, name: str, refuse: Callable[[str], ApiError]) -> int | None:
    """A whole number among the parameters, None where absent; raises `refuse(name)`."""
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise refuse(name) from None
