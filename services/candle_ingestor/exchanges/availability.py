"""Which symbols are listed on enough exchanges (rules M1 and M7)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.errors import ExchangeError, RunEndedError, words_without
from candle_ingestor.exchanges.markets import (
    CachedMarkets,
    Market,
    Markets,
    MarketsCache,
    markets_by_symbol,
)
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts
from candle_ingestor.model.symbol import Symbol, stand_ins_of, symbol_choices
from candle_ingestor.model.timeframe import HOUR_MS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MarketChoice:
    """A symbol and where it is traded.

    Attributes:
        markets: by exchange, in flag order; of a stand-in under the symbol that it serves.
        lacking: the exchanges that do not list it.
        unknown: the exchanges whose markets could not be learnt.
    """

    symbol: Symbol
    markets: Mapping[str, Market]
    lacking: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def stand_ins(self) -> dict[str, Symbol]:
        """What serves in place of the symbol, by exchange."""
        return stand_ins_of(self.symbol, {e: m.symbol for e, m in self.markets.items()})


@dataclass(frozen=True)
class Availability:
    """The symbols that meet the minimum, those that do not, and those that cannot be told.

    A symbol is `undecided` where only exchanges whose markets could not be learnt may list it.
    """

    accepted: tuple[MarketChoice, ...]
    dropped: tuple[MarketChoice, ...]
    undecided: tuple[MarketChoice, ...] = ()


def check_availability(
    symbols: Iterable[Symbol],
    markets: Markets,
    minimum: int,
    quote_aliases: Sequence[tuple[str, str]] = (),
) -> Availability:
    """Sorts the symbols by whether at least `minimum` exchanges list them.

    `markets` has the exchanges in flag order; None stands for markets that could not be learnt,
    and such an exchange is given the benefit of the doubt: a passing fault drops no symbol.
    """
    accepted: list[MarketChoice] = []
    dropped: list[MarketChoice] = []
    undecided: list[MarketChoice] = []
    for symbol in symbols:
        choice = _choice(symbol, markets, quote_aliases)
        if len(choice.markets) + len(choice.unknown) < minimum:
            dropped.append(choice)
        elif choice.markets:
            accepted.append(choice)
        else:
            undecided.append(choice)
    return Availability(tuple(accepted), tuple(dropped), tuple(undecided))


async def learn_markets(
    sessions: Sequence[ExchangeSession],
    cache: MarketsCache,
    now_ms: int,
    cache_hours: float,
) -> tuple[dict[str, dict[Symbol, Market] | None], dict[str, ExchangeError]]:
    """The markets of every exchange, from the cache while that is fresh, and what failed.

    Where an exchange does not answer, an old cache serves, with a warning. What the end of the
    run cut short is None without a failure.
    """
    # One question at a time: of a cache that is down, the first one tells.
    turn = asyncio.Lock()
    learnt = await asyncio.gather(
        *(_learn(session, cache, turn, now_ms, cache_hours) for session in sessions)
    )
    markets: dict[str, dict[Symbol, Market] | None] = {}
    errors: dict[str, ExchangeError] = {}
    for session, result in zip(sessions, learnt, strict=True):
        if isinstance(result, ExchangeError):
            errors[session.exchange] = result
            markets[session.exchange] = None
        elif isinstance(result, RunEndedError):
            markets[session.exchange] = None
        else:
            markets[session.exchange] = result
    return markets, errors


async def _learn(
    session: ExchangeSession,
    cache: MarketsCache,
    turn: asyncio.Lock,
    now_ms: int,
    cache_hours: float,
) -> dict[Symbol, Market] | ExchangeError | RunEndedError:
    client = session.client
    async with turn:
        cached = await asyncio.to_thread(cache.read, client.exchange, client.address)
    # Also an old list, so that what its client took a name for once stays what it means.
    is_enough = cached is not None and client.use_markets(cached.markets)
    if cached is not None and is_enough and 0 <= now_ms - cached.fetched_ms < cache_hours * HOUR_MS:
        return markets_by_symbol(client.exchange, cached.markets)
    try:
        fetched = await session.fetch_markets(RequestCounts())
    except (ExchangeError, RunEndedError) as error:
        if cached is None:
            level = logging.INFO if isinstance(error, RunEndedError) else logging.ERROR
            log.log(
                level, "Cannot learn which markets %s has: %s", client.exchange, _why(client, error)
            )
            return error
        log.warning(
            "Using the markets of %s as of before: %s", client.exchange, _why(client, error)
        )
        return markets_by_symbol(client.exchange, cached.markets)
    if cache_hours > 0:
        kept = CachedMarkets(fetched, now_ms)
        async with turn:
            complaint = await asyncio.to_thread(cache.write, client.exchange, client.address, kept)
        if complaint:
            log.warning("%s", complaint)
    return markets_by_symbol(client.exchange, fetched)


def _why(client: CandleClient, error: ExchangeError | RunEndedError) -> str:
    return words_without(client.exchange, error)


def _choice(
    symbol: Symbol,
    markets: Markets,
    quote_aliases: Sequence[tuple[str, str]],
) -> MarketChoice:
    wanted = symbol_choices(symbol, quote_aliases)
    found: dict[str, Market] = {}
    for exchange, listed in markets.items():
        market = next((listed[s] for s in wanted if s in listed), None) if listed else None
        if market is not None:
            found[exchange] = market
    return MarketChoice(
        symbol,
        found,
        lacking=tuple(e for e, listed in markets.items() if listed is not None and e not in found),
        unknown=tuple(e for e, listed in markets.items() if listed is None),
    )
