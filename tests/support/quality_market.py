"""An invented market on several exchanges, without any fault of quality."""

from collections.abc import Iterator
from math import exp, sin, tau
from random import Random

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, MINUTES_PER_DAY, Timeframe
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import make_panel
from candle_ingestor.quality.tuning import DEFAULT_TUNING, Tuning
from candle_ingestor.quality.watch import QualityWatch

START_MS = 1_709_251_200_000  # 2024-03-01
MINUTE = Timeframe(1)
BITCOIN = Symbol("BTC", "USD")
EXCHANGES = ("bitstamp", "coinbaseexchange", "gemini", "kraken")
IDLE_SHARES = (0.01, 0.0, 0.3, 0.05)

Frames = dict[Series, pl.DataFrame]


def series_of(exchange: str) -> Series:
    return Series(exchange, BITCOIN, MINUTE)


def invented_market(days: int, seed: int = 0) -> Frames:
    """A price that wanders, with the closes of all exchanges near it, and idle minutes left out."""
    count = days * MINUTES_PER_DAY
    path = list(_wandering(count + 1, Random(f"path {seed}")))
    return {
        series_of(exchange): _candles(path, idle, Random(f"{exchange} {seed}"))
        for exchange, idle in zip(EXCHANGES, IDLE_SHARES, strict=True)
    }


def everything(frames: Frames) -> Interval:
    """The whole days that the candles are of."""
    first = min(int(frame["open_time_ms"][0]) for frame in frames.values())
    last = max(int(frame["open_time_ms"][-1]) for frame in frames.values())
    return Interval(first // DAY_MS * DAY_MS, last // DAY_MS * DAY_MS + DAY_MS)


def found_in(
    frames: Frames,
    known: dict[Series, IntervalSet] | None = None,
    tuning: Tuning = DEFAULT_TUNING,
    *,
    by_month: bool = False,
) -> list[Found]:
    """What is found in candles of which everything is known, but where `known` says other."""
    span = everything(frames)
    covered = dict.fromkeys(frames, IntervalSet((span,))) | (known or {})
    timeframe = next(iter(frames)).timeframe
    watch = QualityWatch(timeframe, tuning)
    months = [month.interval for month in months_of(IntervalSet((span,)))] if by_month else [span]
    for start_ms, end_ms in months:
        panel_span = Interval(max(start_ms - 7 * DAY_MS, span.start_ms), min(end_ms, span.end_ms))
        within = pl.col("open_time_ms").is_between(*panel_span, closed="left")
        parts = {series: frame.filter(within) for series, frame in frames.items()}
        told_from_ms = max(start_ms, span.start_ms)
        watch.look_at(make_panel(timeframe, panel_span, told_from_ms, parts, covered))
    return watch.findings()


def _wandering(count: int, random: Random) -> Iterator[float]:
    level = 60_000.0
    for _ in range(count):
        yield level
        level *= exp(random.gauss(0, 0.0006))


def _candles(path: list[float], idle_share: float, random: Random) -> pl.DataFrame:
    rows = []
    close = path[0]
    for place in range(len(path) - 1):
        if random.random() < idle_share:
            continue
        opened, close = close, path[place + 1] * exp(random.gauss(0, 0.0001))
        high = max(opened, close) * exp(abs(random.gauss(0, 0.0002)))
        low = min(opened, close) * exp(-abs(random.gauss(0, 0.0002)))
        busy = 1 + 0.5 * sin(tau * place / MINUTES_PER_DAY)
        volume = busy * exp(random.gauss(0, 1))
        time_ms = START_MS + place * MINUTE_MS
        prices = (round(price, 2) for price in (opened, high, low, close))
        rows.append((time_ms, *prices, round(volume, 8)))
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")
