"""Names of Binance's public klines: `BTCUSDT-1m-2023-03-10.csv` and `BTCUSDT-1m-2023-03.csv`.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import NotACandleFileError
from candle_ingestor.archives.layout import BINANCE
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol, SymbolError
from candle_ingestor.model.timeframe import DAY_MS, MINUTES_PER_DAY, Timeframe

EXCHANGE = "binance"

_NAME = re.compile(
    r"([A-Z0-9]{2,30})-(\d{1,2}(?:s|m|h|d|w|mo))-(\d{4}-\d\d)(-\d\d)?\.csv", re.IGNORECASE
)
_FUTURES = {"futures", "um", "cm", "option", "options"}


def described(name: str, holders: Iterable[str]) -> Described | None:
    """What a file of this name holds; None if it is no name of Binance's.

    Args:
        name: without its folder.
        holders: the names of what it lies in.

    Raises:
        NotACandleFileError: if it is one, and of a pair, market, day or length of candles that is
            not kept.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if _FUTURES & {holder.lower() for holder in holders}:
        raise NotACandleFileError("it is of futures, and only spot markets are kept")
    try:
        timeframe = Timeframe.parse(match[2].lower())
    except ValueError as error:
        raise NotACandleFileError(f"candles of {match[2]} are not of 1m to 1d") from error
    if timeframe.minutes > MINUTES_PER_DAY:
        raise NotACandleFileError(f"candles of {match[2]} are not of 1m to 1d")
    try:
        symbol = Symbol.parse(match[1])
    except SymbolError as error:
        raise NotACandleFileError(str(error)) from error
    return Described(Series(EXCHANGE, symbol, timeframe), BINANCE, _span(match[3], match[4]))


def _span(month: str, day: str | None) -> Interval:
    try:
        if day is None:
            return Month.parse(month).interval
        first = datetime.strptime(month + day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise NotACandleFileError(f"its name states no day: {month}{day or ''}") from error
    start_ms = int(first.timestamp()) * 1000
    return Interval(start_ms, start_ms + DAY_MS)
