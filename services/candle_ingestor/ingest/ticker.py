"""One symbol of a run: what is asked for and where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
    in (rule M7). `only_stored` are series of exchanges that cannot be asked in this run: what the
    store has of them is merged all the same (rule M2).
    """

    request: SymbolRequest
    merged: Series
    sources: tuple[Series, ...]
    markets: Mapping[str, Market]
    unknown_exchanges: tuple[str, ...] = ()
    only_stored: tuple[Series, ...] = ()

    @classmethod
    def make(cls, request: SymbolRequest, listing: Listing, timeframe: Timeframe) -> Ticker:
        return cls(
            request,
            Series.merged(request.symbol, timeframe),
            tuple(Series(e, m.symbol, timeframe) for e, m in listing.markets.items()),
            dict(listing.markets),
            listing.unknown,
        )

    def with_stored(
        self,
        exchanges: Iterable[str],
        quote_aliases: Sequence[tuple[str, str]],
        stored: Collection[Series],
    ) -> Ticker:
        """The ticker with what the store has of those exchanges that are not among its sources."""
        asked = {source.exchange for source in self.sources}
        choices = [self.symbol]
        choices += [self.symbol.with_quote(s) for q, s in quote_aliases if q == self.symbol.quote]
        only_stored = []
        for exchange in exchanges:
            series = [Series(exchange, choice, self.merged.timeframe) for choice in choices]
            if exchange not in asked:
                only_stored += [each for each in series if each in stored][:1]
        return replace(self, only_stored=tuple(only_stored))

    @property
    def symbol(self) -> Symbol:
        return self.request.symbol

    @property
    def merge_sources(self) -> tuple[Series, ...]:
        return self.sources + self.only_stored

    @property
    def stand_ins(self) -> dict[str, Symbol]:
        return {s.exchange: s.symbol for s in self.sources if s.symbol != self.symbol}
