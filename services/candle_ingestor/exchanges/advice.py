"""What may have been meant by a symbol that exchanges do not list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches

from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Markets, busiest_markets
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import joined

_ONE_CURRENCY = (
    ("USD", "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "PYUSD", "USDE", "USDS", "DAI"),
    ("EUR", "EURC", "EURI", "EURR", "EURQ", "EURT"),
)
"""Quotes that stand for one currency, the common ones first."""

_LEAST_LIKENESS = 0.6
_ANOTHER_QUOTE = 0.1
"""How far apart two quotes of one currency are: less than any two spellings."""
_MOST_CLOSE_ASSETS = 10


def advice_on(
    choice: MarketChoice, markets: Markets, quote_aliases: Sequence[tuple[str, str]] = ()
) -> str | None:
    """What to do about the exchanges that lack the symbol; None where nothing comes to mind.

    A symbol that no exchange lists may be a slip: the nearest one that is listed is named. Where
    exchanges list the symbol with another quote of the same currency, the alias is offered that
    lets it serve (rule M7).
    """
    advice = []
    if not choice.markets:
        near = near_symbol(choice.symbol, markets)
        if near is not None:
            advice.append(f"did you mean {near}?")
    stand_in, exchanges = offered_stand_in(choice, markets, quote_aliases)
    if stand_in is not None:
        advice.append(
            f"--quote_aliases={choice.symbol.quote}:{stand_in.quote} would let "
            f"{', '.join(exchanges)} serve {stand_in} in its place"
        )
    return joined(advice) or None


def near_symbol(symbol: Symbol, markets: Markets) -> Symbol | None:
    """The listed symbol most like this one, which is not; None where none is like it.

    Base and quote may have changed places, or each may be a slip of the other. Of several that are
    equally like it, the one on the most exchanges is named.
    """
    listings: dict[Symbol, int] = {}
    for listed in markets.values():
        for each in listed or ():
            listings[each] = listings.get(each, 0) + 1
    swapped = Symbol(symbol.quote, symbol.base)
    if swapped in listings:
        return swapped
    bases = _distances(symbol.base, {each.base for each in listings})
    quotes = _distances(symbol.quote, {each.quote for each in listings})
    quotes |= {
        quote: _ANOTHER_QUOTE for quote in _same_currency(symbol.quote) if quote != symbol.quote
    }
    near = [each for each in listings if each.base in bases and each.quote in quotes]
    busiest = busiest_markets(near)
    return min(
        near,
        key=lambda each: (
            bases[each.base] + quotes[each.quote],
            -listings[each],
            str(each) not in busiest,
            each,
        ),
        default=None,
    )


def offered_stand_in(
    choice: MarketChoice, markets: Markets, quote_aliases: Sequence[tuple[str, str]] = ()
) -> tuple[Symbol | None, tuple[str, ...]]:
    """The symbol that most of the lacking exchanges list with another quote of the same currency.

    With it come the exchanges that list it; None and no exchange where there is none.
    """
    symbol = choice.symbol
    known = {stand_in for quote, stand_in in quote_aliases if quote == symbol.quote}
    best: tuple[Symbol | None, tuple[str, ...]] = (None, ())
    for quote in _same_currency(symbol.quote):
        if quote in known or quote in (symbol.quote, symbol.base):
            continue
        stand_in = symbol.with_quote(quote)
        exchanges = tuple(e for e in choice.lacking if stand_in in (markets.get(e) or {}))
        if len(exchanges) > len(best[1]):
            best = stand_in, exchanges
    return best


def _distances(asset: str, assets: Iterable[str]) -> dict[str, float]:
    """How far the assets that are like this one are from it; itself at 0."""
    close = get_close_matches(asset, assets, _MOST_CLOSE_ASSETS, _LEAST_LIKENESS)
    return {each: 1 - SequenceMatcher(a=each, b=asset).ratio() for each in (asset, *close)}


def _same_currency(quote: str) -> Sequence[str]:
    return next((quotes for quotes in _ONE_CURRENCY if quote in quotes), ())
