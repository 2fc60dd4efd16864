"""What each exchange's candle endpoint does, as one row of data an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from candle_ingestor.model.timeframe import Timeframe


class VolumeUnit(StrEnum):
    """What the volume of a spot candle counts, as ccxt hands it on."""

    BASE = "base"
    QUOTE = "quote"
    CONTRACTS = "contracts"


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
        reach_by_timeframe: the same of those timeframes that differ, by `str(timeframe)`.
        is_reach_known: False for an exchange nobody has described here: silence before the first
            candle that it shows may then be the edge of its reach rather than a time without trade.
        request_parameters: passed to ccxt with every request for candles.
        older_from_candles: how many candles back a request begins that asks for older candles in
            another way; None where there is but one way.
        older_parameters: passed to ccxt with these as well.
        row_layout: where its rows have their fields; None leaves them to ccxt, row by row.
        opened_year: no market has a candle from before its first of January.
        off_grid_timeframes: those whose candles do not open where UTC has them, as a day that
            opens at 16:00: not to be had (rule M8).
        volume_unit: what the volume that ccxt reads from a row counts. Where it is no base volume,
            the row layout says where a row has that; without one there is none.
        flaw: why its candles are of no use, as words that follow its name.
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
    reach_by_timeframe: Mapping[str, int | None] = field(default_factory=dict)
    is_reach_known: bool = True
    request_parameters: Mapping[str, int | str] = field(default_factory=dict)
    older_from_candles: int | None = None
    older_parameters: Mapping[str, int | str] = field(default_factory=dict)
    row_layout: RowLayout | None = None
    opened_year: int = 2009
    off_grid_timeframes: frozenset[str] = frozenset()
    volume_unit: VolumeUnit = VolumeUnit.BASE
    flaw: str | None = None
    has_prices_only: bool = False
    is_never_silent: bool = False
    days_per_request: int | None = None

    @property
    def has_base_volumes(self) -> bool:
        """Whether the volumes of its candles count the base currency, as merging needs (M3)."""
        return self.volume_unit is VolumeUnit.BASE or self.row_layout is not None

    def reach_in(self, timeframe: Timeframe) -> int | None:
        """How many candles of that length are answered; None where the whole history is."""
        return self.reach_by_timeframe.get(str(timeframe), self.reach_candles)

    def parameters_of(self, timeframe: Timeframe, since_ms: int, now_ms: int) -> dict[str, Any]:
        """What is passed to ccxt with a request for candles from a time on."""
        parameters = dict(self.request_parameters)
        if self.older_from_candles is not None:
            older_ms = now_ms - self.older_from_candles * timeframe.duration_ms
            if since_ms < older_ms:
                parameters |= self.older_parameters
        return parameters

    @property
    def opened_ms(self) -> int:
        """Nothing was traded there before."""
        return int(datetime(self.opened_year, 1, 1, tzinfo=UTC).timestamp()) * 1000


_ROWS = (
    ExchangeHabits("binance", 1000, row_layout=_MS_FIRST, opened_year=2017),
    ExchangeHabits("binanceus", 1000, row_layout=_MS_FIRST, opened_year=2019),
    # No row for a minute without trade; ccxt asks for the oldest from the start on.
    ExchangeHabits(
        "bitfinex", 10_000, row_layout=RowLayout((0, 1, 3, 4, 2, 5), 1), opened_year=2012
    ),
    ExchangeHabits(
        "bitstamp",
        1000,
        row_layout=RowLayout(("timestamp", "open", "high", "low", "close", "volume"), 1000),
        opened_year=2011,
    ),
    ExchangeHabits("btse", 300, is_reach_known=False, volume_unit=VolumeUnit.QUOTE),
    # From a start on, its oldest candles first, whatever came before the first of them.
    ExchangeHabits("bybit", 1000, row_layout=_MS_FIRST, opened_year=2018),
    ExchangeHabits(
        "cex",
        100,
        is_reach_known=False,
        flaw="has candles of the best bid or of the best ask, not of trades",
    ),
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
    # It refuses a range of more than 1000 candles, ends included, or one that begins more than
    # 10,000 candles ago. Quote volume comes before base volume.
    ExchangeHabits(
        "gate",
        1000,
        reach_candles=10_000,
        row_layout=RowLayout((0, 5, 3, 4, 2, 6), 1000),
        opened_year=2013,
    ),
    # It takes no range, and answers all that it has, newest first: a day of minutes. How far the
    # other timeframes reach is stated nowhere.
    ExchangeHabits(
        "gemini",
        1440,
        reach_by_timeframe={"1m": 1440},
        is_reach_known=False,
        row_layout=_MS_FIRST,
        opened_year=2015,
    ),
    # Who asks for more than 1000 gets none. Its days open at 16:00 UTC.
    ExchangeHabits(
        "htx",
        1000,
        row_layout=RowLayout(("id", "open", "high", "low", "close", "amount"), 1000),
        opened_year=2013,
        off_grid_timeframes=frozenset({"1d"}),
    ),
    ExchangeHabits(
        "kraken", 720, reach_candles=720, row_layout=RowLayout((0, 1, 2, 3, 4, 6), 1000)
    ),
    # The newest 1500 of a range whose end ccxt puts one candle later than wanted.
    ExchangeHabits(
        "kucoin", 1499, row_layout=RowLayout((0, 1, 3, 4, 2, 5), 1000), opened_year=2017
    ),
    # ccxt asks for 500 candles of time, whatever the limit; the end of a range is excluded. How far
    # back it reaches is stated nowhere.
    ExchangeHabits("mexc", 500, is_reach_known=False, row_layout=_MS_FIRST, opened_year=2018),
    ExchangeHabits(
        "ndax",
        100,
        is_reach_known=False,
        flaw="has candles that ccxt gives the time of their end, so that each is one candle late",
    ),
    # Its path of recent candles reaches 1440 back, and ccxt turns to the one of older candles right
    # there: too late where its clock is ahead, and for a request that waited for its turn.
    ExchangeHabits(
        "okx",
        300,
        older_from_candles=1380,
        older_parameters={"type": "HistoryCandles"},
        row_layout=_MS_FIRST,
        opened_year=2017,
    ),
    ExchangeHabits(
        "zebpay",
        100,
        is_reach_known=False,
        flaw="is asked by ccxt only for a range with both its ends, and the job names one",
    ),
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
