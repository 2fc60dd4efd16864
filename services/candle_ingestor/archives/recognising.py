"""Tells what an archive file holds by its name, or by what the user says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from candle_ingestor.archives import binance, kraken
from candle_ingestor.archives.described import Described
from candle_ingestor.archives.errors import NotACandleFileError
from candle_ingestor.archives.layout import Layout
from candle_ingestor.model.series import Series


@dataclass(frozen=True)
class Naming:
    """What the user says of files; what is None is told by each file's name.

    Attributes:
        exchange: whose candles files in the form of Binance are, and those of a layout. Kraken's
            form is its own: such files stay Kraken's.
        layout, series: of files in another form than the known ones.
    """

    exchange: str | None = None
    layout: Layout | None = None
    series: Series | None = None

    def described(self, names: Sequence[str]) -> Described:
        """What a file holds.

        Args:
            names: its name, then those of what it lies in, folders and zip, the nearest first.

        Raises:
            NotACandleFileError: if nothing says that it holds candles that can be kept.
        """
        if self.layout is not None:
            assert self.series is not None
            return Described(self.series, self.layout, is_told=True)
        name, *holders = names
        # Of `x.csv.gz` it is the inner name that says what is in it.
        name = name[:-3] if name.lower().endswith(".csv.gz") else name
        found = kraken.described(name, holders)
        if found is not None:
            return found
        found = binance.described(name, holders)
        if found is not None:
            return self._in_form_of_binance(name, found)
        raise NotACandleFileError(
            f"'{name}' is no name of Kraken's or Binance's history files; --archive_columns tells "
            "of others"
        )

    def _in_form_of_binance(self, name: str, found: Described) -> Described:
        if self.exchange == kraken.EXCHANGE:
            raise NotACandleFileError(
                f"'{name}' is in the form of Binance, which kraken does not publish in, and "
                f"--archive_exchange says {self.exchange}"
            )
        series = replace(found.series, exchange=self.exchange or found.series.exchange)
        return replace(found, series=series)
