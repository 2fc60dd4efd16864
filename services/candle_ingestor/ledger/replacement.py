"""What a span of a series is to be, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from candle_ingestor.model.gaps import Reasons
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing, MergeBasis


@dataclass(frozen=True)
class Replacement:
    """What a span of a series is from now on.

    Attributes:
        span: where everything stored is replaced, whether it was covered or not.
        candles: what is stored there then, within `answered`, ascending.
        answered: what is covered there then.
        provisional: the part of `answered` that is to be asked once more.
        reasons: why intervals, in the span or not, stay outside coverage.
        listing: what was learnt of the listing; None for nothing new.
        basis: what merged the candles; None for an exchange's own.
        origin: where an exchange's candles came from.
        partial: the part of `answered` whose candles are made of a part of their time.
    """

    series: Series
    span: IntervalSet
    candles: pl.DataFrame
    answered: IntervalSet
    provisional: IntervalSet = EMPTY
    reasons: Reasons = field(default_factory=dict)
    listing: Listing | None = None
    basis: MergeBasis | None = None
    origin: Origin = Origin.ENDPOINT
    partial: IntervalSet = EMPTY


@dataclass(frozen=True)
class Kept:
    """How many candles a replacement changed in the store."""

    new: int
    revised: int
