"""Candles that stand hours away from the time at which they were traded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import HOUR_MS, MINUTES_PER_HOUR
from candle_ingestor.quality.findings import Found, Rule
from candle_ingestor.quality.hours import hour_ms_of
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.robust import runs_of
from candle_ingestor.quality.tuning import Tuning

_HOURS_AWAY = tuple(hours for hours in range(-14, 15) if hours)
"""As far as time zones lie from UTC."""
_TIMES_USUAL = 4.0
_LEAST_BPS = 5.0
_TIMES_NEARER = 4.0
_LEAST_HOURS = 2
_LEAST_COMPARED = 10


def shifted_hours(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Hours whose prices are far from the others' at the same time, and theirs of another hour.

    The value is the median distance in bps at the same time; `hours_late` says where it is small.
    """
    if panel.timeframe.minutes > MINUTES_PER_HOUR // _LEAST_COMPARED * 2:
        return
    length_ms = hour_ms_of(panel.timeframe)
    for series, side in panel.sides.items():
        distance = _by_hour(side, side["reference"], length_ms)
        usual = distance["distance"].median()
        if usual is None:
            continue
        threshold = tuning.threshold(
            Rule.SHIFTED_HOURS,
            max(_LEAST_BPS, _TIMES_USUAL * float(usual)),  # type: ignore[arg-type]
        )
        far = (distance["distance"] > threshold).fill_null(value=False)
        if not far.any():
            continue
        yield from _explained(
            panel, series, distance.with_columns(far.alias("far")), float(usual), threshold  # type: ignore[arg-type]
        )


def _explained(
    panel: Panel, series: Series, distance: pl.DataFrame, usual: float, threshold: float
) -> Iterator[Found]:
    side = panel.sides[series]
    length_ms = hour_ms_of(panel.timeframe)
    theirs = _others_price(panel.others(series))
    columns = []
    for hours in _HOURS_AWAY:
        rows = hours * HOUR_MS // panel.timeframe.duration_ms
        moved = _by_hour(side, theirs.shift(rows), length_ms)["distance"]
        columns.append(moved.alias(str(hours)))
    table = pl.DataFrame(columns)
    nearest = table.select(pl.min_horizontal(pl.all())).to_series()
    near = (
        distance["far"]
        & (nearest * _TIMES_NEARER < distance["distance"])
        & (nearest < threshold)
    )
    place = table.select(pl.concat_list(pl.all()).list.arg_min()).to_series()
    for start, end in runs_of(near, _LEAST_HOURS, 1):
        for first, last in _of_one_shift(place, start, end):
            if last - first < _LEAST_HOURS:
                continue
            rows_there = distance.slice(first, last - first)
            hours_late = _HOURS_AWAY[int(place[first])]
            yield Found(
                Rule.SHIFTED_HOURS,
                series,
                Interval(
                    int(rows_there["start_ms"][0]), int(rows_there["start_ms"][-1]) + length_ms
                ),
                float(rows_there["distance"].median()),  # type: ignore[arg-type]
                threshold,
                {
                    "hours_late": float(hours_late),
                    "then_bps": float(nearest.slice(first, last - first).median()),  # type: ignore[arg-type]
                    "usual_distance_bps": usual,
                },
            )


def _of_one_shift(place: pl.Series, start: int, end: int) -> Iterator[tuple[int, int]]:
    first = start
    for row in range(start + 1, end + 1):
        if row == end or place[row] != place[first]:
            yield first, row
            first = row


def _by_hour(side: pl.DataFrame, reference: pl.Series, length_ms: int) -> pl.DataFrame:
    """The median distance from the reference in bps by hour; null where little is compared."""
    table = side.select(
        "open_time_ms",
        pl.when("traded").then((pl.col("price") - reference).abs() * 10_000).alias("distance"),
    )
    return (
        table.group_by(
            (pl.col("open_time_ms") // length_ms * length_ms).alias("start_ms"), maintain_order=True
        )
        .agg(pl.col("distance").median(), pl.col("distance").count().alias("compared"))
        .with_columns(
            pl.when(pl.col("compared") >= _LEAST_COMPARED).then(pl.col("distance")).alias("distance")
        )
    )


def _others_price(others: Sequence[pl.DataFrame]) -> pl.Series:
    """The median price of the others."""
    if len(others) == 1:
        return others[0]["price"]
    frame = pl.DataFrame([each["price"].alias(str(place)) for place, each in enumerate(others)])
    return frame.select(pl.concat_list(pl.all()).list.median()).to_series()
