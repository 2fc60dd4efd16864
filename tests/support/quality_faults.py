"""Faults of quality put into candles of one market, each of a known kind, place and exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from math import exp, log
from random import Random

import polars as pl

from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule as Rule
from candle_ingestor.model.series import Series

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_MARGIN_MS = 2 * HOUR_MS
_MOST_TRIES = 2_000

Frames = dict[Series, pl.DataFrame]


@dataclass(frozen=True)
class Fault:
    """One fault, and where it is."""

    rule: Rule
    series: Series
    interval: Interval


def inject(
    frames: Mapping[Series, pl.DataFrame], span: Interval, count: int, seed: int
) -> tuple[Frames, list[Fault]]:
    """The candles with faults of all kinds in turn, and what they are.

    At one time one series of a symbol is faulty.
    """
    random = Random(seed)
    changed = dict(frames)
    faults: list[Fault] = []
    kinds = list(islice(cycle(_MAKERS), count))
    # The long ones first, as long as there is room for them.
    for rule in sorted(kinds, key=lambda kind: -_MAKERS[kind].longest_hours):
        for _ in range(_MOST_TRIES):
            fault = _placed(random, rule, list(frames), span)
            if _is_free(fault, faults) and _has_candles(frames, fault.series, fault.interval):
                break
        else:
            raise AssertionError(f"no room for {rule} with seed {seed}")
        changed[fault.series] = (
            _MAKERS[rule].make(changed[fault.series], fault.interval, random).sort("open_time_ms")
        )
        faults.append(fault)
    return changed, sorted(faults, key=lambda each: each.interval)


def _placed(random: Random, rule: Rule, all_series: list[Series], span: Interval) -> Fault:
    maker = _MAKERS[rule]
    hours = _between(random, maker.shortest_hours, maker.longest_hours)
    minutes = max(round(hours * 60), 1)
    length_ms = minutes * MINUTE_MS
    # Not in the first hours: what would be shown a second time there?
    first = span.start_ms + 14 * HOUR_MS
    start_ms = random.randrange(first, span.end_ms - length_ms, MINUTE_MS)
    return Fault(rule, random.choice(all_series), Interval(start_ms, start_ms + length_ms))


def _is_free(fault: Fault, faults: list[Fault]) -> bool:
    start_ms, end_ms = fault.interval
    return not any(
        each.series.symbol == fault.series.symbol
        and each.interval.start_ms < end_ms + _MARGIN_MS
        and start_ms < each.interval.end_ms + _MARGIN_MS
        for each in faults
    )


def _has_candles(frames: Mapping[Series, pl.DataFrame], series: Series, span: Interval) -> bool:
    """Whether the series has about as many candles there as elsewhere."""
    times = frames[series].filter(pl.col("volume") > 0)["open_time_ms"]
    whole_ms = int(times[-1]) - int(times[0])
    there = times.is_between(*span, closed="left").sum()
    if span.duration_ms == MINUTE_MS:
        return bool(there)
    return there >= 0.5 * times.len() * span.duration_ms / whole_ms


def _between(random: Random, least: float, most: float) -> float:
    """Small ones as often as large ones."""
    return exp(random.uniform(log(least), log(most)))


def _within(span: Interval) -> pl.Expr:
    return pl.col("open_time_ms").is_between(*span, closed="left")


def _outage(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    return frame.filter(~_within(span))


def _offset(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    factor = 1 + random.choice((-1, 1)) * _between(random, 0.006, 0.05)
    return _with(frame, span, {name: pl.col(name) * factor for name in PRICE_COLUMNS})


def _spike(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    size = _between(random, 0.03, 0.5)
    shape = random.choice(("high", "low", "close_above", "close_below", "bar"))
    if shape == "high":
        return _with(frame, span, {"high": pl.col("high") * (1 + size)})
    if shape == "low":
        return _with(frame, span, {"low": pl.col("low") * (1 - size)})
    if shape == "bar":
        return _with(frame, span, {name: pl.col(name) * (1 + size) for name in PRICE_COLUMNS})
    far = pl.col("close") * (1 + size if shape == "close_above" else 1 - size)
    extreme = "high" if shape == "close_above" else "low"
    return _with(frame, span, {"close": far, extreme: far})


def _unit(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    price = float(frame["close"].median())  # type: ignore[arg-type]
    units = [100.0, 1_000.0, 1e8] + ([price] if price > 100 else [])
    factor = random.choice([*units, *(1 / unit for unit in units)])
    return _with(frame, span, {"volume": pl.col("volume") * factor})


def _flat(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    """The last candle again and again, or its close; a row in every minute or where one was."""
    last = frame.filter(pl.col("open_time_ms") < span.start_ms).tail(1)
    times = pl.DataFrame(
        {"open_time_ms": pl.int_range(*span, MINUTE_MS, dtype=pl.Int64, eager=True)}
    )
    if random.random() < 0.5:
        repeated = times.join(last.drop("open_time_ms"), how="cross")
    else:
        volume = random.choice((0.0, float(last["volume"][0])))
        repeated = times.with_columns(
            *(pl.lit(float(last["close"][0])).alias(name) for name in PRICE_COLUMNS),
            pl.lit(volume).alias("volume"),
        )
    return pl.concat([frame.filter(~_within(span)), repeated.select(frame.columns)])


def _doubled(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    """The candles just before the span once more, in place of its own."""
    length_ms = span.duration_ms
    before = Interval(span.start_ms - length_ms, span.start_ms)
    again = frame.filter(_within(before)).with_columns(pl.col("open_time_ms") + length_ms)
    return pl.concat([frame.filter(~_within(span)), again])


def _shifted(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    """Candles moved by whole hours within the span; where they were none is left."""
    most = span.duration_ms // HOUR_MS - 2
    away_ms = random.choice([hours for hours in (1, 2, 3, 5, 8) if hours <= most]) * HOUR_MS
    sign = random.choice((-1, 1))
    moved = Interval(span.start_ms, span.end_ms - away_ms)
    if sign < 0:
        moved = Interval(span.start_ms + away_ms, span.end_ms)
    again = frame.filter(_within(moved)).with_columns(pl.col("open_time_ms") + sign * away_ms)
    return pl.concat([frame.filter(~_within(span)), again])


def _thinned(frame: pl.DataFrame, span: Interval, random: Random) -> pl.DataFrame:
    """A trade in a few minutes only; the others are idle in the way of the exchange."""
    kept = random.uniform(0.1, 0.3)
    times = frame.filter(_within(span))["open_time_ms"].to_list()
    idle = pl.Series([time for time in times if random.random() > kept], dtype=pl.Int64)
    is_idle = pl.col("open_time_ms").is_in(idle.implode())
    if (frame["volume"] > 0).all():
        return frame.filter(~is_idle)
    flat = {name: pl.when(is_idle).then("close").otherwise(name) for name in PRICE_COLUMNS}
    volume = pl.when(is_idle).then(0.0).otherwise("volume").alias("volume")
    return frame.with_columns(volume, **flat)


def _with(frame: pl.DataFrame, span: Interval, values: Mapping[str, pl.Expr]) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(_within(span)).then(value).otherwise(name).alias(name)
        for name, value in values.items()
    )


@dataclass(frozen=True)
class _Maker:
    make: Callable[[pl.DataFrame, Interval, Random], pl.DataFrame]
    shortest_hours: float
    longest_hours: float


_MINUTE = 1 / 60

_MAKERS = {
    Rule.SUSPECTED_OUTAGE: _Maker(_outage, 1, 8),
    Rule.PRICE_OFFSET: _Maker(_offset, 3, 24),
    Rule.PRICE_SPIKE: _Maker(_spike, _MINUTE, _MINUTE),
    Rule.VOLUME_SHARE: _Maker(_unit, 3, 24),
    Rule.FLAT_FEED: _Maker(_flat, 1, 8),
    Rule.DOUBLED_HOURS: _Maker(_doubled, 1, 3),
    Rule.SHIFTED_HOURS: _Maker(_shifted, 4, 12),
    Rule.WEEKLY_PATTERN: _Maker(_thinned, 12, 24),
}
