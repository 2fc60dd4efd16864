"""What loading returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from candle_loader.conversions import Arrays, arrays_of, arrow_of, pandas_of, polars_of
from candle_loader.errors import LoaderError
from candle_loader.gap import Gap, gaps_within, incomplete, widened
from candle_loader.idle import with_idle_filled
from candle_loader.manifest import SeriesInfo
from candle_loader.resampling import resampled
from candle_loader.times import (
    ceil_to_grid,
    floor_to_grid,
    grid_offset_ms,
    timeframe_ms,
    usual_timeframe,
)

COLUMNS = Arrays._fields


@dataclass(frozen=True)
class Candles:
    """The candles of a series that open in `[start_ms, end_ms)`.

    Attributes:
        series: what they are candles of, and their scale.
        frame: columns `timestamp_ms` (open time, UTC ms), `open`, `high`, `low`, `close`, `volume`,
            all Int64, ascending by time, no duplicate, no null, one chunk a column.
        start_ms, end_ms: the range that was loaded, half-open, UTC ms.
        gaps: the parts of the range that nothing is known of, ascending. Elsewhere a missing
            candle means that there was no trade.
    """

    series: SeriesInfo
    frame: pl.DataFrame
    start_ms: int
    end_ms: int
    gaps: tuple[Gap, ...]

    @property
    def price_decimal_digits(self) -> int:
        """A price is an integer of the frame / 10 ** these digits."""
        return self.series.price_decimal_digits

    @property
    def volume_decimal_digits(self) -> int:
        """A volume is an integer of the frame / 10 ** these digits."""
        return self.series.volume_decimal_digits

    @property
    def is_complete(self) -> bool:
        """Whether every minute of the range is accounted for."""
        return not self.gaps

    @property
    def last_timestamp_ms(self) -> int | None:
        """The open time of the last candle, UTC ms; None where there is none."""
        return None if self.frame.is_empty() else int(self.frame["timestamp_ms"][-1])

    def require_complete(self) -> Candles:
        """These candles.

        Raises:
            LoaderError: if the range has a gap; it names the first ones.
        """
        if self.gaps:
            raise incomplete(self.series, self.start_ms, self.end_ms, self.gaps)
        return self

    def to_numpy(self) -> Arrays:
        """The columns as int64 arrays, without a copy: `candles.to_numpy().close`.

        Raises:
            MissingPackageError: if numpy is not installed.
        """
        return arrays_of(self.frame)

    def to_polars(self, *, scaled: bool = False) -> pl.DataFrame:
        """`timestamp` as Datetime in UTC, then `open`, `high`, `low`, `close`, `volume`.

        Args:
            scaled: whether the scale is applied: prices and volumes are then Float64, in units of
                their currencies. Otherwise they are the Int64 of `frame`.
        """
        return polars_of(
            self.frame, self.price_decimal_digits, self.volume_decimal_digits, scaled=scaled
        )

    def to_pandas(self, *, scaled: bool = False) -> Any:
        """The table of `to_polars` as a pandas DataFrame with `timestamp`, in UTC, as its index.

        Raises:
            MissingPackageError: if pandas is not installed.
        """
        return pandas_of(self.to_polars(scaled=scaled))

    def to_arrow(self, *, scaled: bool = False) -> Any:
        """The table of `to_polars` as a pyarrow Table; series and scale are in its metadata.

        Raises:
            MissingPackageError: if pyarrow is not installed.
        """
        return arrow_of(self.to_polars(scaled=scaled), self._metadata(scaled))

    def fill_idle(self) -> Candles:
        """The same with a flat candle, at the last close and with volume 0, where none was traded.

        None is made before the first candle of the range, in a gap, or after a gap before the
        first candle there, since the last close is not known then.
        """
        length_ms = timeframe_ms(self.series.timeframe)
        filled = with_idle_filled(self.frame, length_ms, self.end_ms, self.gaps)
        return replace(self, frame=filled)

    def resample(self, timeframe: str) -> Candles:
        """Coarser candles: first open, highest high, lowest low, last close, summed volume.

        They stand on the UTC grid, weeks on Mondays. There is one only where its whole span lies
        in the range and outside every gap, and something was traded in it. The range shrinks to
        whole spans, and the gaps widen to them.

        Args:
            timeframe: a multiple of the candles' own, such as `1h`.

        Raises:
            LoaderError: if it is no timeframe or no multiple, or a volume does not fit an int64.
        """
        text, length_ms = usual_timeframe(timeframe), timeframe_ms(self.series.timeframe)
        coarse_ms = timeframe_ms(text)
        if coarse_ms % length_ms or grid_offset_ms(coarse_ms) % length_ms:
            raise LoaderError(
                f"{self.series}: {text} is no multiple of {self.series.timeframe}; choose one"
            )
        start_ms = ceil_to_grid(self.start_ms, coarse_ms)
        end_ms = max(floor_to_grid(self.end_ms, coarse_ms), start_ms)
        gaps = gaps_within(widened(self.gaps, coarse_ms), start_ms, end_ms)
        inside = self.frame.filter(pl.col("timestamp_ms") >= start_ms)
        return Candles(
            replace(self.series, timeframe=text),
            resampled(inside, length_ms, coarse_ms, gaps, end_ms),
            start_ms,
            end_ms,
            gaps,
        )

    def _metadata(self, scaled: bool) -> dict[str, str]:
        scale = {
            "price_decimal_digits": str(self.price_decimal_digits),
            "volume_decimal_digits": str(self.volume_decimal_digits),
        }
        return {
            "exchange": self.series.exchange,
            "symbol": self.series.symbol,
            "timeframe": self.series.timeframe,
            **({} if scaled else scale),
        }
