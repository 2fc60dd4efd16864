"""Where a series' candles come from, and the protocol that synthetic and recorded ones share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange_simulator.candles import Columns
from exchange_simulator.number_text import NumberTexts

__all__ = ["CandleSource", "TextColumns", "texts_of"]


@dataclass(frozen=True, slots=True)
class TextColumns:
    """Candles by column with every number as the text that goes on the wire."""

    open_ms: Sequence[int]
    open: Sequence[str]
    high: Sequence[str]
    low: Sequence[str]
    close: Sequence[str]
    volume: Sequence[str]

    def __len__(self) -> int:
        return len(self.open_ms)

    def __iter__(self) -> Iterator[tuple[int, str, str, str, str, str]]:
        """Open time, open, high, low, close and volume of each candle."""
        return zip(
            self.open_ms, self.open, self.high, self.low, self.close, self.volume, strict=True
        )


class CandleSource(Protocol):
    """The final candles of one market in their base timeframe, day by UTC day.

    A pure function of the day: the same whenever and in whatever order it is asked, the future
    included. What of it may be shown now is the series' business.
    """

    @property
    def timeframe_ms(self) -> int:
        """The base timeframe."""

    @property
    def first_ms(self) -> int:
        """No candle opens before."""

    @property
    def last_ms(self) -> int | None:
        """No candle opens after; None: it goes on for ever."""

    @property
    def revision_ms(self) -> int:
        """For how long after its close a candle's volume is still short (candle_as_of)."""

    @property
    def price_quantum(self) -> int:
        """The step, in scaled units, that prices of unfinished candles are cut to."""

    @property
    def volume_quantum(self) -> int:
        """The same for volumes."""

    def columns(self, day: int) -> Columns:
        """Candles of the day (days since 1970) as scaled integers."""

    def texts(self, day: int) -> TextColumns:
        """The same candles in wire text."""

    def format(self, columns: Columns) -> TextColumns:
        """Candles derived from `columns` (aggregated, unfinished) in wire text."""


def texts_of(
    columns: Columns, number_texts: NumberTexts, price_digits: int, volume_digits: int
) -> TextColumns:
    """Columns written with one exchange's number format."""
    return TextColumns(
        columns.open_ms,
        number_texts(columns.open, price_digits),
        number_texts(columns.high, price_digits),
        number_texts(columns.low, price_digits),
        number_texts(columns.close, price_digits),
        number_texts(columns.volume, volume_digits),
    )
