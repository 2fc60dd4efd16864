"""Series summed up by the hour, so that weeks and years of them can be looked at at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, Timeframe
from candle_ingestor.quality.panel import Panel

_CANDLES_NEEDED = 12
_LEAST_COMPARED = 3
_DAYS_OF_USUAL = 28
_DAYS_NEEDED = 7

VOLUME_SHARES = {"log_small": 0.25, "log_volume": 0.5, "log_large": 0.75}
VOLUME_COLUMNS = tuple(VOLUME_SHARES)

HOURS_COLUMNS: dict[str, pl.DataType] = {
    "start_ms": pl.Int64(),
    "known": pl.UInt32(),
    "traded": pl.UInt32(),
    "deviation": pl.Float64(),
    "distance": pl.Float64(),
    "compared": pl.UInt32(),
    **dict.fromkeys(VOLUME_COLUMNS, pl.Float64()),
    "jump": pl.Float64(),
}


@dataclass(frozen=True)
class Hours:
    """All series of a market by the hour, or by the day where an hour has less than 12 candles.

    Attributes:
        length_ms: of what is called an hour here.
        sides: by series, a row an hour without a hole, ascending: `start_ms`; `known` and `traded`,
            how many candle lengths are so; `deviation`, the median of how far its closes are above
            the reference in bps, and `distance`, the same without sign, null where fewer than
            three were `compared`; `log_small`, `log_volume` and `log_large`, the quartiles of the
            logarithms of the volumes that are not 0; `jump`, the longest way in bps from one close
            to the next.
    """

    length_ms: int
    sides: Mapping[Series, pl.DataFrame]

    @property
    def a_day(self) -> int:
        """How many there are in a day."""
        return DAY_MS // self.length_ms

    def interval(self, series: Series, start: int, end: int) -> Interval:
        """The time of the rows from `start` to `end`, which is not one of them."""
        starts = self.sides[series]["start_ms"]
        return Interval(int(starts[start]), int(starts[end - 1]) + self.length_ms)


def hour_ms_of(timeframe: Timeframe) -> int:
    """How long an hour of `Hours` is for candles of this length: a day for long ones."""
    return HOUR_MS if timeframe.duration_ms * _CANDLES_NEEDED <= HOUR_MS else DAY_MS


def hours_of(panel: Panel, span: Interval) -> dict[Series, pl.DataFrame]:
    """The rows of `Hours.sides` for a span of the panel that begins and ends with an hour."""
    length_ms = hour_ms_of(panel.timeframe)
    deviation = (pl.col("price") - pl.col("reference")) * 10_000
    found = {}
    for series, side in panel.sides.items():
        within = side.filter(pl.col("open_time_ms").is_between(*span, closed="left"))
        found[series] = (
            within.with_columns(
                deviation=pl.when("traded").then(deviation),
                log_of_volume=pl.when("traded").then(pl.col("volume").log()),
            )
            .group_by(
                (pl.col("open_time_ms") // length_ms * length_ms).alias("start_ms"),
                maintain_order=True,
            )
            .agg(
                pl.col("known").sum(),
                pl.col("traded").sum(),
                pl.col("deviation").median(),
                pl.col("deviation").abs().median().alias("distance"),
                pl.col("deviation").count().alias("compared"),
                *(
                    pl.col("log_of_volume").quantile(share, "linear").alias(name)
                    for name, share in VOLUME_SHARES.items()
                ),
                pl.col("jump").max(),
            )
            .with_columns(
                pl.when(pl.col("compared") >= _LEAST_COMPARED).then(pl.col(name))
                for name in ("deviation", "distance")
            )
            .select(pl.col(name).cast(kind) for name, kind in HOURS_COLUMNS.items())
        )
    return found


def usual_before(values: pl.Series, a_day: int, share: float = 0.5) -> pl.Series:
    """At each row what `share` of the values of the four weeks before it lie below.

    Where less than a week of values comes before, the same of the first four weeks.
    """
    window = _DAYS_OF_USUAL * a_day
    first = values.head(window).quantile(share)
    before = values.rolling_quantile(
        share, window_size=window, min_samples=_DAYS_NEEDED * a_day
    ).shift(1)
    return before.fill_null(first) if first is not None else before
