"""Candles that stand hours away from the time at which they were traded."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import HOUR_MS
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.moves_apart import HOURS_AWAY, moves_apart
from candle_ingestor.quality.panel import Panel, middle_price
from candle_ingestor.quality.robust import largest_at_ends, median_of, runs_of
from candle_ingestor.quality.tuning import Tuning

_PIECES_AN_HOUR = 2
_LEAST_PIECES = 3
_LEAST_COMPARED = 10
_TIMES_USUAL = 4.0
_LEAST_BPS = 6.0
_TIMES_NEARER = 4.0
_TIMES_NEARER_BEYOND = 8.0
_TIMES_STEADIER = 1.5


def shifted_hours(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Prices of another hour, told by how far they are from the others' or by how they move."""
    yield from far_hours(panel, tuning)
    yield from moves_apart(panel, tuning)


def far_hours(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Pieces of half an hour in a row that are far from the others' prices at the same time.

    They are near to what these were another whole number of hours before or after, the same for
    all. The value is the median distance in bps at the same time; `hours_late` says where it is
    small. Candles have to be so short that ten of them make a piece.
    """
    piece_ms = HOUR_MS // _PIECES_AN_HOUR
    if panel.timeframe.duration_ms * _LEAST_COMPARED > piece_ms:
        return
    for series, side in panel.sides.items():
        pieces = _by_piece(side, side["reference"], piece_ms)
        distance = pieces["distance"]
        if distance.count() == 0:
            continue
        usual = median_of(distance)
        learnt = max(_LEAST_BPS, _TIMES_USUAL * usual)
        threshold = tuning.threshold(QualityRule.SHIFTED_HOURS, learnt)
        is_far = (distance > threshold).fill_null(value=False)
        # Few series are far from the others for so long, and only these are moved about.
        if not runs_of(is_far, _LEAST_PIECES, 1):
            continue
        theirs = middle_price(panel.others(series))
        for hours_late in HOURS_AWAY:
            rows = hours_late * HOUR_MS // panel.timeframe.duration_ms
            moved = _by_piece(side, theirs.shift(rows), piece_ms)
            then = moved["distance"]
            is_near = (then * _TIMES_NEARER < distance) & (then < threshold)
            is_near |= then * _TIMES_NEARER_BEYOND < distance
            for start, end in runs_of(is_far & is_near, _LEAST_PIECES, 1):
                # Prices that are only off move as those of the same time do.
                if median_of(pieces["spread"][start:end]) < _TIMES_STEADIER * median_of(
                    moved["spread"][start:end]
                ):
                    continue
                interval = Interval(
                    int(pieces["start_ms"][start]), int(pieces["start_ms"][end - 1]) + piece_ms
                )
                yield Found(
                    QualityRule.SHIFTED_HOURS,
                    series,
                    interval,
                    median_of(distance[start:end]),
                    threshold,
                    {
                        "hours_late": float(hours_late),
                        "distance_then_bps": median_of(then[start:end]),
                        "usual_distance_bps": usual,
                        "jump_bps": largest_at_ends(pieces["jump"], start, end, _PIECES_AN_HOUR),
                    },
                )


def _by_piece(side: pl.DataFrame, reference: pl.Series, piece_ms: int) -> pl.DataFrame:
    """By piece the median distance from the reference, and how far it spreads, in bps."""
    return (
        side.select(
            (pl.col("open_time_ms") // piece_ms * piece_ms).alias("start_ms"),
            pl.when("traded").then((pl.col("price") - reference) * 10_000).alias("deviation"),
            "jump",
        )
        .group_by("start_ms", maintain_order=True)
        .agg(
            pl.when(pl.col("deviation").count() >= _LEAST_COMPARED)
            .then(pl.col("deviation").abs().median())
            .alias("distance"),
            (pl.col("deviation") - pl.col("deviation").median()).abs().median().alias("spread"),
            pl.col("jump").max(),
        )
    )
