"""Candles whose prices move with those of the others of another hour."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import HOUR_MS, MINUTE_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel, middle_price
from candle_ingestor.quality.robust import largest_at_ends, median_of, runs_of
from candle_ingestor.quality.tuning import Tuning

HOURS_AWAY = tuple(hours for hours in range(-14, 15) if hours)
"""As far as time zones lie from UTC."""
WAVERS = "wavers_then_bps"
"""The figure that only findings of this module have."""
_PIECE_MS = 10 * MINUTE_MS
_CANDLES_A_PIECE = 3
_LEAST_CANDLES = 2
_TOGETHER = 12
_LEAST_TOGETHER = 7
_LEAST_STEPS = 4
_LEAST_SPANS = 2
_LEAST_BPS = 6.0
_TIMES_USUAL = 3.0
_TIMES_STEADIER = 2.5
_MOST_TIMES_USUAL_THEN = 2.5
_TIMES_SMALLER_STEPS = 1.2


def moves_apart(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Two hours and more whose distance from the others wavers, and from another hour does not.

    That tells prices of another time in a calm market, where all hours have much the same price.
    How much the distance wavers is its standard deviation over twelve pieces of ten minutes in bps,
    of each piece the median. The value is that at the same time. At the other hour it is no more
    than it usually is, and far less than the prices themselves move: what stands still goes with
    everything. Candles have to be so short that three of them make a piece.
    """
    if panel.timeframe.duration_ms * _CANDLES_A_PIECE > _PIECE_MS:
        return
    for series, side in panel.sides.items():
        pieces = _by_piece(side, side["reference"])
        wavers = _wavers(pieces["deviation"])
        if wavers.count() == 0:
            continue
        usual = median_of(wavers)
        learnt = max(_LEAST_BPS, _TIMES_USUAL * usual)
        threshold = tuning.threshold(QualityRule.SHIFTED_HOURS, learnt)
        is_apart = (wavers > threshold).fill_null(value=False)
        # Few series go their own way for so long, and only these are moved about.
        if not runs_of(is_apart, _LEAST_SPANS):
            continue
        moves, steps = _wavers(pieces["own"]), _steps(pieces["deviation"])
        theirs = middle_price(panel.others(series))
        for hours_late in HOURS_AWAY:
            rows = hours_late * HOUR_MS // panel.timeframe.duration_ms
            moved = _by_piece(side, theirs.shift(rows))["deviation"]
            then = _wavers(moved)
            goes_along = (
                (then * _TIMES_STEADIER < wavers)
                & (then * _TIMES_STEADIER < moves)
                & (then < _MOST_TIMES_USUAL_THEN * usual)
                # Prices that are off from a time on make one step, and it may be like one of then.
                & (_steps(moved) * _TIMES_SMALLER_STEPS < steps)
            )
            for first, last in runs_of(is_apart & goes_along, _LEAST_SPANS):
                start = max(first - _TOGETHER + 1, 0)
                yield Found(
                    QualityRule.SHIFTED_HOURS,
                    series,
                    Interval(
                        int(pieces["start_ms"][start]),
                        int(pieces["start_ms"][last - 1]) + _PIECE_MS,
                    ),
                    median_of(wavers[first:last]),
                    threshold,
                    {
                        "hours_late": float(hours_late),
                        WAVERS: median_of(then[first:last]),
                        "usually_wavers_bps": usual,
                        "jump_bps": largest_at_ends(
                            pieces["jump"], start, last, HOUR_MS // _PIECE_MS
                        ),
                    },
                )


def _by_piece(side: pl.DataFrame, reference: pl.Series) -> pl.DataFrame:
    """By piece the median distance from the reference, and the median price, in bps."""
    price = pl.when("traded").then(pl.col("price"))
    return (
        side.select(
            (pl.col("open_time_ms") // _PIECE_MS * _PIECE_MS).alias("start_ms"),
            ((price - reference) * 10_000).alias("deviation"),
            (price * 10_000).alias("own"),
            "jump",
        )
        .group_by("start_ms", maintain_order=True)
        .agg(
            pl.when(pl.col("deviation").count() >= _LEAST_CANDLES)
            .then(pl.col("deviation").median())
            .alias("deviation"),
            pl.col("own").median(),
            pl.col("jump").max(),
        )
    )


def _wavers(values: pl.Series) -> pl.Series:
    return values.rolling_std(_TOGETHER, min_samples=_LEAST_TOGETHER)


def _steps(values: pl.Series) -> pl.Series:
    return values.diff().abs().rolling_median(_TOGETHER - 1, min_samples=_LEAST_STEPS)
