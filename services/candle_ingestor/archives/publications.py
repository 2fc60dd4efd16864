"""Which published file has what an exchange's candle endpoint no longer answers. Pure.

Kraken's article 360047124832 and Binance's bucket `data.binance.vision` tell what they publish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from candle_ingestor.archives import binance, kraken
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series

_KRAKEN_PAGE = "https://support.kraken.com/articles/360047124832"
_KRAKEN_MINUTES = frozenset({1, 5, 15, 30, 60, 240, 720, 1440})
_BINANCE_KLINES = "https://data.binance.vision/data/spot/monthly/klines"


@dataclass(frozen=True)
class Publication:
    """A published file with candles of a series.

    Attributes:
        series: whose candles.
        file: its name, as the exchange writes it.
        archive: the zip that it lies in; empty where it is published by itself.
        page: where to get it.
        missing: what of the series it fills, within the time that it is of.
        published_from_ms: the end of that time; the file is not there before.
    """

    series: Series
    file: str
    archive: str
    page: str
    missing: IntervalSet
    published_from_ms: int

    @property
    def words(self) -> str:
        """The file and where it lies: `XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip`."""
        return f"{self.file} of {self.archive}" if self.archive else self.file

    @property
    def candles(self) -> int:
        """How many candle lengths it fills."""
        return self.missing.duration_ms // self.series.timeframe.duration_ms


def publications_of(series: Series, missing: IntervalSet) -> list[Publication]:
    """The files that have the missing minutes of an exchange's series, ascending by time.

    None where the exchange publishes no such files, or none of that length of candles.
    """
    publish = _PUBLISHERS.get(series.exchange)
    return publish(series, missing) if publish is not None and missing else []


def _of_kraken(series: Series, missing: IntervalSet) -> list[Publication]:
    if series.timeframe.minutes not in _KRAKEN_MINUTES:
        return []
    file = f"{kraken.pair_of(series.symbol)}_{series.timeframe.minutes}.csv"
    quarters = {Month(month.year, (month.month - 1) // 3 * 3 + 1) for month in months_of(missing)}
    found = []
    for first in sorted(quarters):
        quarter = kraken.quarter_from(first)
        archive = f"Kraken_OHLCVT_Q{first.month // 3 + 1}_{first.year}.zip"
        part = missing & IntervalSet((quarter,))
        found.append(Publication(series, file, archive, _KRAKEN_PAGE, part, quarter.end_ms))
    return found


def _of_binance(series: Series, missing: IntervalSet) -> list[Publication]:
    market = f"{series.symbol.base}{series.symbol.quote}"
    page = f"{_BINANCE_KLINES}/{market}/{series.timeframe}/"
    return [
        Publication(
            series,
            f"{market}-{series.timeframe}-{month}.zip",
            "",
            page,
            missing & IntervalSet((month.interval,)),
            month.interval.end_ms,
        )
        for month in months_of(missing)
    ]


_PUBLISHERS: Mapping[str, Callable[[Series, IntervalSet], list[Publication]]] = {
    kraken.EXCHANGE: _of_kraken,
    binance.EXCHANGE: _of_binance,
}
