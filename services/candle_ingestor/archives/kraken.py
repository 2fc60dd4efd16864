"""Names of Kraken's downloadable history: `XBTUSD_1.csv`, in a zip of all time or of a quarter.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import NotACandleFileError
from candle_ingestor.archives.layout import KRAKEN
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol, SymbolError
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe

EXCHANGE = "kraken"

ASSETS = {
    "XBT": "BTC",
    "XDG": "DOGE",
    "LUNA": "LUNC",
    "LUNA2": "LUNA",
    "REP": "REPV1",
    "REPV2": "REP",
    "UST": "USTC",
}
"""Kraken's own name of an asset, and everybody else's."""

_OWN_NAMES = {common: own for own, common in ASSETS.items()}

_NAME = re.compile(r"([A-Z0-9.]{2,30})_([1-9]\d{0,5})\.csv", re.IGNORECASE)
_OLD_PAIR = re.compile(
    r"X(ETC|ETH|ICN|LTC|MLN|REP|XBT|XDG|XLM|XMR|XRP|ZEC)[XZ](XBT|ETH|USD|EUR|GBP|JPY|CAD|AUD|KRW)"
)
_QUARTER = re.compile(
    r"(?<!\d)(?:(?P<year>20\d\d)[-_ ]?Q(?P<quarter>[1-4])"
    r"|(?<![A-Z])Q(?P<quarter_first>[1-4])[-_ ]?(?P<year_last>20\d\d))(?!\d)",
    re.IGNORECASE,
)
_QUOTES = (
    *("USDT", "USDC"),
    *("AUD", "CAD", "CHF", "DAI", "DOT", "ETH", "EUR", "GBP", "JPY", "KRW", "USD", "XBT"),
)
"""What Kraken quotes in. Others are no quotes here: `DOTUSD` is no pair in TUSD."""


def described(name: str, holders: Iterable[str]) -> Described | None:
    """What a file of this name holds; None if it is no name of Kraken's.

    Args:
        name: without its folder.
        holders: the names of what it lies in, folders and zip, the nearest first. The first one
            that states a quarter counts.

    Raises:
        NotACandleFileError: if it is one, and of a pair or length of candles that is not kept.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    minutes = int(match[2])
    if minutes > MINUTES_PER_DAY:
        raise NotACandleFileError(f"candles of {minutes} minutes are longer than a day")
    series = Series(EXCHANGE, symbol_of(match[1].upper()), Timeframe(minutes))
    return Described(series, KRAKEN, quarter_of(holders))


def symbol_of(pair: str) -> Symbol:
    """The symbol that Kraken's name of a pair, `XBTUSD` or `XXBTZUSD`, stands for.

    Raises:
        NotACandleFileError: if it names no pair of assets.
    """
    old = _OLD_PAIR.fullmatch(pair)
    if old is not None:
        base, quote = old[1], old[2]
    elif pair == "USDTZUSD":
        base, quote = "USDT", "USD"
    else:
        quote = next((q for q in _QUOTES if pair.endswith(q) and len(pair) > len(q)), "")
        base = pair.removesuffix(quote) if quote else pair
    try:
        return Symbol.parse(f"{ASSETS.get(base, base)}/{ASSETS.get(quote, quote)}")
    except SymbolError as error:
        raise NotACandleFileError(f"'{pair}' is no pair that is known") from error


def pair_of(symbol: Symbol) -> str:
    """Kraken's name of a pair in its file names, `XBTUSD`."""
    return "".join(_OWN_NAMES.get(asset, asset) for asset in (symbol.base, symbol.quote))


def quarter_of(names: Iterable[str]) -> Interval | None:
    """The quarter that the first of these names states which states one, as `Q1_2023` or `2023Q1`
    within it."""
    for name in names:
        match = _QUARTER.search(name)
        if match is not None:
            year = int(match["year"] or match["year_last"])
            month = 3 * int(match["quarter"] or match["quarter_first"]) - 2
            return quarter_from(Month(year, month))
    return None


def quarter_from(first: Month) -> Interval:
    """The three months that begin with this one."""
    return Interval(first.start_ms, first.following().following().following().start_ms)
