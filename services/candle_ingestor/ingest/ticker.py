"""One symbol of a run: what is asked for and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candle_ingestor.exchanges.availability import Listing
from candle_ingestor.exchanges.markets import Market
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.symbols.requests import SymbolRequest


@dataclass(frozen=True)
class Ticker:
    """A symbol with its merged series and, in flag order, the series that go into it.

    A source has the symbol that its exchange trades, which is another where a quote alias stands
    in (rule M7).
    """

    request: SymbolRequest
    merged: Series
    sources: tuple[Series, ...]
    markets: Mapping[str, Market]
    unknown_exchanges: tuple[str, ...] = ()

    @classmethod
    def make(cls, request: SymbolRequest, listing: Listing, timeframe: Timeframe) -> Ticker:
        return cls(
            request,
            Series.merged(request.symbol, timeframe),
            tuple(Series(e, m.symbol, timeframe) for e, m in listing.markets.items()),
            dict(listing.markets),
            listing.unknown,
        )

    @property
    def symbol(self) -> Symbol:
        return self.request.symbol

    @property
    def stand_ins(self) -> dict[str, Symbol]:
        return {s.exchange: s.symbol for s in self.sources if s.symbol != self.symbol}
