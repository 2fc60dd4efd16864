"""Which tickers merge and export work on, told by the store alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.minimum import resolve_minimum
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import did_you_mean, some_of
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.settle.derived import is_derived
from candle_ingestor.settle.ticker import Ticker, basis_of, choose_basis
from candle_ingestor.symbols.requests import SymbolList, SymbolRequest

log = logging.getLogger(__name__)

_MOST_NAMED = 20


def stored_tickers(
    config: Config, symbols: SymbolList | None, ledger: Ledger, *, remembers: bool
) -> list[Ticker]:
    """The tickers of these symbols, or of all that the store knows in the configured timeframe.

    With `remembers` each is merged as its series remembers it. Otherwise the rules that are given
    count, and for the rest those that the series remembers.

    Raises:
        ConfigurationError: if the store holds nothing of one of these symbols, or of too few
            exchanges; where no symbol is named, if that is so of all.
    """
    timeframe = config.candles.timeframe
    held = _held_symbols(ledger, config)
    if not held:
        raise ConfigurationError(
            f"{ledger.store.description} holds no {timeframe} candles{_other_timeframes(ledger)}; "
            "run the command ingest first"
        )
    choosing = _Choosing(config, ledger, remembers)
    if symbols is None:
        return _all_that_can_be(choosing, held)
    known = {s.symbol for s in _of_timeframe(ledger, timeframe)}
    unknown = [each.symbol for each in symbols.requests if each.symbol not in known]
    if unknown:
        raise ConfigurationError(
            f"{ledger.store.description} holds no {timeframe} candles of "
            f"{some_of(unknown, _MOST_NAMED)}{_hint(unknown[0], held)}; "
            f"it holds {some_of(held, _MOST_NAMED)}"
        )
    return [choosing.ticker(request) for request in symbols.requests]


class _Choosing:
    def __init__(self, config: Config, ledger: Ledger, remembers: bool) -> None:
        self._config = config
        self._ledger = ledger
        self._remembers = remembers

    def ticker(self, request: SymbolRequest) -> Ticker:
        """The ticker of a symbol of which something is stored."""
        timeframe = self._config.candles.timeframe
        merged = Series.merged(request.symbol, timeframe)
        remembered = basis_of(self._ledger.records, merged)
        digits = request.price_decimal_digits, request.volume_decimal_digits
        if remembered is not None and self._remembers:
            self._tell_of_other_exchanges(merged, remembered)
            return Ticker(merged, remembered, *digits)
        rules = self._rules(remembered)
        # No exchange is asked, so that those that went in before may still be there.
        unknown = {source.exchange for source in remembered.sources} if remembered else set()
        stored = self._ledger.records.keys()
        basis = choose_basis(request.symbol, timeframe, rules, {}, remembered, stored, unknown)
        if len(basis.sources) < rules.min_exchanges:
            raise self._too_few(request.symbol, basis)
        return Ticker(merged, basis, *digits)

    def _rules(self, remembered: MergeBasis | None) -> MergeRules:
        config, rules = self._config, self._config.rules
        if remembered is None or config.is_given("exchanges"):
            return rules
        before = remembered.rules
        minimum = before.min_exchanges
        if config.is_given("min_exchanges_required"):
            asked = 0 if config.is_minimum_detected else rules.min_exchanges
            minimum = resolve_minimum(before.exchanges, asked)

        def chosen(flag: str) -> MergeRules:
            return rules if config.is_given(flag) else before

        return MergeRules(
            before.exchanges,
            minimum,
            chosen("max_price_deviation_pct").max_price_deviation_pct,
            chosen("high_low").high_low,
            chosen("quote_aliases").quote_aliases,
        )

    def _too_few(self, symbol: Symbol, basis: MergeBasis) -> ConfigurationError:
        held = {source.exchange for source in basis.sources}
        lacking = [name for name in basis.rules.exchanges if name not in held]
        there = sorted({s.exchange for s in self._ledger.records if _is_of(s, symbol)} - held)
        also = f" (it holds candles of {', '.join(there)})" if there else ""
        return ConfigurationError(
            f"{symbol} cannot be merged from {basis.rules.min_exchanges} exchanges: the store "
            f"holds nothing of it on {', '.join(lacking)}{also}; lower --min_exchanges_required, "
            "or name other --exchanges"
        )

    def _tell_of_other_exchanges(self, merged: Series, remembered: MergeBasis) -> None:
        config = self._config
        is_typed = config.is_typed("exchanges")
        names = config.exchanges.names
        if is_typed and set(names) != set(remembered.rules.exchanges):
            log.warning(
                "%s stays merged from %s, and is not exported: --exchanges asks for the candles of "
                "%s itself; the command merge makes it from other exchanges",
                merged.symbol,
                ", ".join(remembered.rules.exchanges),
                ", ".join(names),
            )


def _all_that_can_be(choosing: _Choosing, held: Iterable[Symbol]) -> list[Ticker]:
    tickers = []
    errors = []
    for symbol in held:
        try:
            tickers.append(choosing.ticker(SymbolRequest(symbol)))
        except ConfigurationError as error:
            errors.append(error)
    if not tickers:
        raise errors[0]
    for why in errors:
        log.warning("Left as it is: %s", why)
    return tickers


def _held_symbols(ledger: Ledger, config: Config) -> list[Symbol]:
    """What was merged, and what only exchanges' series are stored of.

    A market that serves under the name of another symbol (rule M7) is not one by itself, unless it
    is named.
    """
    series = _of_timeframe(ledger, config.candles.timeframe)
    merged = {s.symbol for s in series if s.is_merged}
    serving = {source for s in series for source in ledger.records[s].merged_from}
    alone = {s.symbol for s in series if not s.is_merged and s not in serving}
    return sorted(merged | alone)


def _of_timeframe(ledger: Ledger, timeframe: Timeframe) -> list[Series]:
    """What was fetched, imported or merged; what is derived from it follows it."""
    return [s for s in ledger.records if s.timeframe == timeframe and not is_derived(ledger, s)]


def _is_of(series: Series, symbol: Symbol) -> bool:
    return series.symbol == symbol and not series.is_merged


def _other_timeframes(ledger: Ledger) -> str:
    others = sorted({s.timeframe for s in ledger.records if not is_derived(ledger, s)})
    if not others:
        return ""
    shown = ", ".join(f"{each} (--candle_granularity_minutes={each.minutes})" for each in others)
    return f", but some of {shown}"


def _hint(unknown: Symbol, held: Sequence[Symbol]) -> str:
    meant = did_you_mean(str(unknown), map(str, held))
    return f" ({meant})" if meant else ""
