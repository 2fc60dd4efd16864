"""One symbol to be settled: its merged series and what goes into it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, SeriesRecord
from candle_ingestor.model.symbol import Symbol, stand_ins_of, symbol_choices
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class Ticker:
    """A symbol, and the series that are merged under it.

    Attributes:
        merged: its merged series.
        basis: the rules, and the series that are merged, in flag order. One of them has another
            symbol where a quote alias stands in (rule M7).
        price_decimal_digits, volume_decimal_digits: of its export, where they are asked for.
    """

    merged: Series
    basis: MergeBasis
    price_decimal_digits: int | None = None
    volume_decimal_digits: int | None = None

    @property
    def symbol(self) -> Symbol:
        return self.merged.symbol

    @property
    def sources(self) -> tuple[Series, ...]:
        return self.basis.sources

    @property
    def stand_ins(self) -> dict[str, Symbol]:
        """What serves in place of the symbol, by exchange."""
        return stand_ins_of(self.symbol, {s.exchange: s.symbol for s in self.sources})


def choose_basis(
    symbol: Symbol,
    timeframe: Timeframe,
    rules: MergeRules,
    listed: Mapping[str, Symbol],
    remembered: MergeBasis | None,
    stored: Collection[Series],
    unknown: Collection[str] = (),
) -> MergeBasis:
    """What a symbol is merged from, decided in the same way with and without exchanges to ask.

    Of each exchange it is the market that it lists now, else the one that went into the merged
    series before, else the best choice of which something is stored. An exchange that could not
    say what it lists is given the benefit of the doubt: while it may still be heard, no month is
    complete.

    Args:
        listed: by exchange, the symbol that serves there; an exchange that lists none, or cannot
            be asked, is left out.
        remembered: what the merged series was last made by.
        unknown: the exchanges that could not say what they list.
    """
    before = {s.exchange: s for s in remembered.sources} if remembered else {}
    sources = []
    for exchange in rules.exchanges:
        choices = symbol_choices(symbol, rules.quote_aliases)
        if exchange in listed:
            sources.append(Series(exchange, listed[exchange], timeframe))
            continue
        series = [Series(exchange, choice, timeframe) for choice in choices]
        if before.get(exchange) in series:
            series.insert(0, before[exchange])
        found = [each for each in series if each in stored or exchange in unknown]
        sources += found[:1]
    return MergeBasis(rules, tuple(sources))


def ticker_of_one(series: Series) -> Ticker:
    """What exports an exchange's own series by itself; nothing is merged of it."""
    rules = MergeRules((series.exchange,), 1)
    return Ticker(series, MergeBasis(rules, (series,)))


def basis_of(records: Mapping[Series, SeriesRecord], merged: Series) -> MergeBasis | None:
    """What a merged series was last made by; None where nothing was merged yet."""
    record = records.get(merged)
    return None if record is None or record.merging is None else record.merging.basis
