"""Tiers: the classes of symbols that lists name. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import did_you_mean, some_of
from candle_ingestor.symbols.requests import SymbolList

TIER_FLAG = "--tier"

Tier = int | str

_MOST_NAMED = 20


def symbols_of_tiers(symbols: SymbolList, named: Collection[str]) -> SymbolList:
    """The list with the symbols of these tiers only; all of it where none is named.

    Raises:
        ConfigurationError: if the list names no tiers, or no symbol has one of these.
    """
    if not named:
        return symbols
    known = [request.tier for request in symbols.requests if request.tier is not None]
    if not known:
        raise ConfigurationError(
            f"{TIER_FLAG}={','.join(named)}: {symbols.source} names no tiers; they come with "
            'symbols of a file or Redis that are written {"symbol": "BTC/USD", "tier": "TIER1"}'
        )
    require_known_tiers(named, known, f"no symbol of {symbols.source} has")
    chosen = tuple(each for each in symbols.requests if is_of_tier(each.tier, named))
    return replace(symbols, requests=chosen)


def is_of_tier(tier: Tier | None, named: Collection[str]) -> bool:
    """Whether the tier is one of those that are named, in large or small letters."""
    return tier is not None and _folded(tier) in {_folded(each) for each in named}


def require_known_tiers(named: Iterable[str], known: Iterable[Tier], nobody_has: str) -> None:
    """Makes sure that each of the tiers that are named is known.

    `nobody_has` begins the sentence that the unknown ones end.

    Raises:
        ConfigurationError: if one is not, with those that are.
    """
    texts = {_folded(tier): str(tier) for tier in known}
    unknown = [tier for tier in named if _folded(tier) not in texts]
    if not unknown:
        return
    there = sorted(texts.values())
    hint = did_you_mean(unknown[0], there)
    raise ConfigurationError(
        f"{TIER_FLAG}: {nobody_has} the tier {some_of(unknown)}"
        f"{f' ({hint})' if hint else ''}; there are {some_of(there, _MOST_NAMED)}"
    )


def _folded(tier: Tier) -> str:
    return str(tier).casefold()
