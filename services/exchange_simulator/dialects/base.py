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
    """An exchange's markets by every name that its requests may use, and the time of a request."""

    markets: Sequence[Market]
    by_id: Mapping[str, Market]
    serves: Callable[[Market, int], bool]  # (market, timeframe_ms)
    now_ms: int


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """A candle request understood: which market's rows, and which of them."""

    market: Market
    selection: Selection
    timeframe_name: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One exchange's wire format and habits.

    `candle_path` matches the path (without the exchange prefix) of candle requests; its group
    `market`, where it has one, holds the market's id. `decode` reads such a request and raises
    ApiError as the exchange would. `endpoints` are the other paths, and `asked_endpoints` those
    that heed the query. `refusal` is the body that goes with an HTTP error status. A header of
    `key_headers` may be given as a parameter of that name with underscores, and is read as one.
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
    other_markets: Sequence[Market] = ()  # listed beside the traded ones: halted, perpetual
    asked_endpoints: Mapping[str, Callable[[Query, Listing], Json]] = field(default_factory=dict)
    key_headers: Sequence[str] = ()


def page_of(rows: Sequence[str]) -> str:
    """A JSON list of prepared rows."""
    return f"[{','.join(rows)}]"


def integer_parameter(query: Query, name: str, refuse: Callable[[str], ApiError]) -> int | None:
    """A whole number among the parameters, None where absent; raises `refuse(name)`."""
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise refuse(name) from None
