"""Finds the coin that a ticker means, and lists its markets as ccxt would. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from candle_ingestor.exchanges.errors import MalformedAnswerError, shown_text
from candle_ingestor.model.texts import some_of

_CHOSEN = "is_chosen"
_UNLISTED = "unlisted"


@dataclass(frozen=True)
class TickerChoice:
    """The coin that an ambiguous ticker is taken for.

    Attributes:
        coin_id: None where no coin of that ticker has a market cap.
        candidates: the ids of all coins of that ticker, the largest by market cap first.
    """

    ticker: str
    coin_id: str | None
    candidates: tuple[str, ...]

    def words(self) -> str:
        """What was chosen, and how to say otherwise."""
        override = f'[coingecko.ids] with {self.ticker} = "ID" in --exchange_settings_file'
        count = len(self.candidates)
        if self.coin_id is None:
            return (
                f"coingecko has {count} coins of the ticker {self.ticker}, and none of them with a "
                f"market cap ({some_of(self.candidates)}): choose one by {override}"
            )
        rest = some_of(self.candidates[1:])
        return (
            f"coingecko has {count} coins of the ticker {self.ticker}: taking {self.coin_id}, the "
            f"largest by market cap, and not {rest}; {override} takes another"
        )


def ids_by_ticker(coins: Any, tickers: Collection[str]) -> dict[str, list[str]]:
    """Of a whole list of coins, the ids by ticker, of these tickers; in capitals.

    Raises:
        MalformedAnswerError: if it is no list of coins.
    """
    found: dict[str, list[str]] = {}
    for coin in _coins(coins):
        ticker = str(coin.get("symbol")).upper()
        coin_id = coin.get("id")
        if ticker in tickers and isinstance(coin_id, str) and coin_id:
            ids = found.setdefault(ticker, [])
            if coin_id not in ids:
                ids.append(coin_id)
    return found


def market_caps(coins: Any) -> dict[str, float]:
    """The market caps by id, of the coins that have one.

    Raises:
        MalformedAnswerError: if it is no list of coins.
    """
    caps = {coin.get("id"): coin.get("market_cap") for coin in _coins(coins)}
    return {
        str(coin_id): float(cap)
        for coin_id, cap in caps.items()
        if isinstance(cap, int | float) and not isinstance(cap, bool) and cap > 0
    }


def largest(ticker: str, ids: Sequence[str], caps: Mapping[str, float]) -> TickerChoice:
    """The largest by market cap of the coins of a ticker."""
    ranked = sorted(ids, key=lambda coin_id: (-caps.get(coin_id, 0.0), coin_id))
    return TickerChoice(ticker, ranked[0] if ranked[0] in caps else None, tuple(ranked))


def currencies(answer: Any) -> list[str]:
    """The currencies that prices are told in, as CoinGecko writes them.

    Raises:
        MalformedAnswerError: if it is no list of names.
    """
    if not isinstance(answer, list) or not all(isinstance(name, str) and name for name in answer):
        raise _malformed("currencies", answer)
    return answer


def markets_of(
    ids: Mapping[str, str],
    quotes: Iterable[str],
    chosen: Collection[str],
    unlisted: Collection[str],
) -> list[dict[str, Any]]:
    """Market dictionaries of each coin, by ticker, in each currency.

    They say of the tickers in `chosen` that the user named the coin, and the first one which
    tickers were looked for in vain.
    """
    markets: list[dict[str, Any]] = [
        {
            "id": coin_id,
            "symbol": f"{ticker}/{quote.upper()}",
            "base": ticker,
            "quote": quote.upper(),
            "baseId": coin_id,
            "quoteId": quote,
            "type": "spot",
            "spot": True,
            "active": True,
            "precision": {},
            "info": {_CHOSEN: ticker in chosen},
        }
        for quote in quotes
        for ticker, coin_id in ids.items()
        if quote.upper() != ticker
    ]
    for market in markets[:1]:
        market["info"][_UNLISTED] = sorted(unlisted)
    return markets


def ids_in(markets: Iterable[Mapping[str, Any]], chosen: Mapping[str, str]) -> dict[str, str]:
    """The coin of each ticker that the markets tell, where they are as `markets_of` makes them.

    What the user names now wins, and what the user named once and does no longer is left out.
    """
    kept = {
        str(market["base"]): str(market["id"])
        for market in markets
        if not (market.get("info") or {}).get(_CHOSEN)
    }
    return kept | dict(chosen)


def unlisted_in(markets: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The tickers that were looked for in vain when `markets_of` made the markets."""
    return frozenset(
        ticker for market in markets[:1] for ticker in (market.get("info") or {}).get(_UNLISTED, ())
    )


def _coins(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(coin, dict) for coin in answer):
        raise _malformed("coins", answer)
    return answer


def _malformed(what: str, answer: Any) -> MalformedAnswerError:
    said = shown_text(str(answer))
    return MalformedAnswerError(f"coingecko: the list of {what} is none: {said}")
