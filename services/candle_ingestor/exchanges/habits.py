"""What each exchange's candle endpoint does, as one row of data an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class RowLayout:
    """Where a candle row has its fields.

    Attributes:
        fields: index or key of open time, open, high, low, close and base volume.
        time_unit_ms: what the open time counts.
    """

    fields: tuple[int, ...] | tuple[str, ...]
    time_unit_ms: int


_MS_FIRST = RowLayout((0, 1, 2, 3, 4, 5), 1)


@dataclass(frozen=True)
class ExchangeHabits:
    """How an exchange answers a request for candles.

    Attributes:
        exchange: the ccxt exchange id.
        page_candles: the most candles asked for in one request.
        reach_candles: how many candles back from the one in progress, itself included, an answer
            goes; None where the whole history is answered.
        is_reach_known: False for an exchange nobody has described here: silence before the first
            candle that it shows may then be the edge of its reach rather than a time without trade.
        request_parameters: passed to ccxt with every request for candles.
        row_layout: where its rows have their fields; None leaves them to ccxt, row by row.
        opened_year: no market has a candle from before its first of January.
        has_prices_only: it tells one price a candle: open, high and low are the close, and there
            is no volume of base units, which reads as 0.
        is_never_silent: it has a candle for every length of time between two that it shows: one
            that is missing there is a hole, and asked for on its own.
        days_per_request: how many daily candles are asked for at once where the first one is looked
            for; None is as many as in any other request.
    """

    exchange: str
    page_candles: int
    reach_candles: int | None = None
    is_reach_known: bool = True
    request_parameters: Mapping[str, int | str] = field(default_factory=dict)
    row_layout: RowLayout | None = None
    opened_year: int = 2009
    has_prices_only: bool = False
    is_never_silent: bool = False
    days_per_request: int | None = None

    @property
    def opened_ms(self) -> int:
        """Nothing was traded there before."""
        return int(datetime(self.opened_year, 1, 1, tzinfo=UTC).timestamp()) * 1000


_ROWS = (
    ExchangeHabits("binance", 1000, row_layout=_MS_FIRST, opened_year=2017),
    ExchangeHabits("binanceus", 1000, row_layout=_MS_FIRST, opened_year=2019),
    ExchangeHabits("bitfinex", 10_000),
    ExchangeHabits(
        "bitstamp",
        1000,
        row_layout=RowLayout(("timestamp", "open", "high", "low", "close", "volume"), 1000),
        opened_year=2011,
    ),
    ExchangeHabits("bybit", 1000),
    # Ranges of 90 days, of which two are only there to have the points of an hour. Longer ranges
    # are answered in points of a day: that is enough to find the first one.
    ExchangeHabits(
        "coingecko",
        88,
        reach_candles=365,
        opened_year=2013,
        has_prices_only=True,
        is_never_silent=True,
        days_per_request=10_000,
    ),
    ExchangeHabits(
        "coinbaseexchange",
        300,
        row_layout=RowLayout((0, 3, 2, 1, 4, 5), 1000),
        opened_year=2015,
    ),
    # ccxt asks from one candle earlier to one later than wanted, and the exchange keeps the newest
    # 300 of a longer range: 298 fit whether the ends are included or not.
    ExchangeHabits(
        "cryptocom",
        298,
        request_parameters={"count": 300},
        row_layout=RowLayout(("t", "o", "h", "l", "c", "v"), 1),
        opened_year=2019,
    ),
    ExchangeHabits("gate", 1000, reach_candles=10_000),
    # Its reach differs by timeframe; this is the longest.
    ExchangeHabits("gemini", 1440, reach_candles=1440, is_reach_known=False),
    ExchangeHabits(
        "kraken", 720, reach_candles=720, row_layout=RowLayout((0, 1, 2, 3, 4, 6), 1000)
    ),
    # The newest 1500 of a range whose end ccxt puts one candle later than wanted.
    ExchangeHabits("kucoin", 1499),
    # ccxt asks for 500 candles of time, whatever the limit.
    ExchangeHabits("mexc", 500, is_reach_known=False),
    ExchangeHabits("okx", 300),
)

HABITS: Mapping[str, ExchangeHabits] = {row.exchange: row for row in _ROWS}

PRICES_ONLY = frozenset(row.exchange for row in _ROWS if row.has_prices_only)
"""Exchanges that know no more of a candle than its close."""

_CAUTIOUS_PAGE_CANDLES = 100


def habits_of(exchange: str, page_limit_in_ccxt: int | None) -> ExchangeHabits:
    """The exchange's row, or a cautious one with the page size that ccxt states."""
    return HABITS.get(exchange) or ExchangeHabits(
        exchange, page_limit_in_ccxt or _CAUTIOUS_PAGE_CANDLES, is_reach_known=False
    )
