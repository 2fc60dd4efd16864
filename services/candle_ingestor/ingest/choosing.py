"""Which symbols a run works on: those that enough exchanges list (rules M1 and M7)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError, DependencyError
from candle_ingestor.exchanges.advice import advice_on
from candle_ingestor.exchanges.availability import (
    Availability,
    MarketChoice,
    check_availability,
    learn_markets,
)
from candle_ingestor.exchanges.errors import words_without
from candle_ingestor.exchanges.markets import Markets, MarketsCache, busiest_markets
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.report import ExchangeTrouble, RunReport, TickerReport
from candle_ingestor.ingest.sources.base import CandleSource
from candle_ingestor.model.texts import counted, joined, some_of
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)

WHERE_TO_LOOK = (
    "check the network, its name server, firewall and proxy, --exchanges and "
    "--exchange_settings_file"
)
"""What to do where no exchange can be reached."""


async def learn_all_markets(
    config: Config, sessions: Sequence[ExchangeSession], cache: MarketsCache, report: RunReport
) -> Markets:
    """The markets of every exchange in flag order; None, and a word in the report, where unknown.

    Raises:
        DependencyError: if no exchange at all can be reached.
    """
    markets, errors = await learn_markets(
        sessions, cache, report.started_ms, config.exchanges.markets_cache_hours
    )
    for session in sessions:
        session.witnesses = busiest_markets(markets[session.exchange] or ())
    report.unavailable_exchanges = {e: words_without(e, error) for e, error in errors.items()}
    report.troubles = {e: ExchangeTrouble(why) for e, why in report.unavailable_exchanges.items()}
    if len(errors) == len(markets):
        causes = [f"{e}: {why}" for e, why in report.unavailable_exchanges.items()]
        raise DependencyError(f"no exchange can be reached: {'; '.join(causes)}; {WHERE_TO_LOOK}")
    return markets


def choose_markets(
    config: Config, symbols: SymbolList, markets: Markets, report: RunReport
) -> tuple[MarketChoice, ...]:
    """Where the symbols that meet the minimum are listed; the report tells of the others.

    There are none where the run ended before the exchanges could tell what they list.

    Raises:
        ConfigurationError: if no symbol meets it.
        DependencyError: if that cannot be told of any symbol.
    """
    wanted = [request.symbol for request in symbols.requests]
    minimum = config.rules.min_exchanges
    found = check_availability(wanted, markets, minimum, config.rules.quote_aliases)
    log.info("%s", validation_words(found, len(wanted), minimum))
    for choice in found.dropped:
        words = lacking_words(choice, markets, config.rules.quote_aliases)
        log.warning("%s is left out: %s", choice.symbol, words)
        report.dropped[str(choice.symbol)] = choice.lacking
    undecided = [_undecided(choice, report) for choice in found.undecided]
    failed = [ticker for ticker in undecided if ticker is not None]
    if failed and not found.accepted:
        raise DependencyError(failed[0].errors[0])
    report.tickers.extend(failed)
    if not found.accepted and not undecided:
        aliases = config.rules.quote_aliases
        dropped = [f"{c.symbol} is {lacking_words(c, markets, aliases)}" for c in found.dropped]
        advice = "lower --min_exchanges_required, or add exchanges or --quote_aliases"
        raise ConfigurationError(
            f"No symbols meet the minimum exchange requirement of {minimum}: "
            f"{joined([some_of(dropped, separator='; '), advice])}"
        )
    for choice in found.accepted:
        for exchange, symbol in choice.stand_ins.items():
            log.info("%s serves %s in place of %s", exchange, symbol, choice.symbol)
    return found.accepted


def undecided_choices(
    symbols: SymbolList, accepted: Collection[MarketChoice], report: RunReport
) -> list[MarketChoice]:
    """The symbols that are neither `accepted` nor left out, since exchanges could not be asked.

    Those that only the run's end left undecided are not among them where no exchange failed.
    """
    unknown = tuple(report.unavailable_exchanges)
    if not unknown:
        return []
    decided = {str(choice.symbol) for choice in accepted} | report.dropped.keys()
    return [
        MarketChoice(request.symbol, {}, unknown=unknown)
        for request in symbols.requests
        if str(request.symbol) not in decided
    ]


def strict_complaint(symbols: SymbolList, dropped: int) -> str | None:
    """What --strict_symbols complains of; None where every symbol of the list can be used."""
    faults = []
    if dropped:
        faults.append(f"left out {dropped} of {len(symbols.requests)} symbols")
    if symbols.rejected:
        entries = counted(len(symbols.rejected), "entry that names", "entries that name")
        faults.append(f"passed over {entries} no symbol")
    return f"--strict_symbols: {' and '.join(faults)}" if faults else None


def refuse_unoffered_timeframe(source: CandleSource, timeframe: Timeframe) -> None:
    """Makes sure that the source has candles of the length asked for.

    Raises:
        ConfigurationError: if it has not, with what it offers.
    """
    if timeframe.minutes > MINUTES_PER_DAY:
        # Exchanges do not agree on the day that a week begins on.
        raise ConfigurationError(
            f"--candle_granularity_minutes={timeframe}: candles of a day at most are fetched; "
            f"--derived_timeframes={timeframe} puts longer ones together"
        )
    if str(timeframe) not in source.timeframes:
        raise ConfigurationError(
            f"--candle_granularity_minutes={timeframe.minutes}: "
            f"{source.exchange} has no {timeframe} candles; "
            f"it offers {', '.join(source.timeframes)}"
        )


def _undecided(choice: MarketChoice, report: RunReport) -> TickerReport | None:
    """The failure to tell of a symbol; None where only the run's end was in the way."""
    exchanges = ", ".join(choice.unknown)
    errors = report.unavailable_exchanges
    causes = [f"{e}: {errors[e]}" for e in choice.unknown if e in errors]
    if not causes:
        log.warning(
            "%s is left to the next run: this one ended before %s told what it lists",
            choice.symbol,
            exchanges,
        )
        return None
    outcome = TickerOutcome(str(choice.symbol))
    outcome.fail(f"nobody knows whether it is listed on {exchanges}: {'; '.join(causes)}")
    log.error("%s: %s", choice.symbol, outcome.errors[0])
    return TickerReport(outcome)


def validation_words(found: Availability, wanted: int, minimum: int) -> str:
    """How many of the symbols can be merged, in the words that users know."""
    met = f"{len(found.accepted)}/{wanted}"
    return f"Symbol validation: {met} symbols meet minimum {minimum} exchange requirement"


def lacking_words(
    choice: MarketChoice, markets: Markets, quote_aliases: Sequence[tuple[str, str]]
) -> str:
    """Where the symbol is not listed, and what to do about that."""
    words = f"not listed on {', '.join(choice.lacking)}"
    advice = advice_on(choice, markets, quote_aliases)
    return joined([words, advice]) if advice else words
