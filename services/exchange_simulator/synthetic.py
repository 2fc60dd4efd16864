"""A seeded market: candles as a pure function of seed, symbol, exchange and minute.

Generated a UTC day at a time. All exchanges share one price path per base asset and add their
own noise. Every UTC day has, going round the exchanges by three, an outage on a third of them
(no row at all, idle bars neither) and one bad print per market on another third. No
transcendental function takes part, so that the bytes are the same on every machine.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from random import Random

from exchange_simulator.cache import RowBudgetCache
from exchange_simulator.candles import DAY_MS, MINUTE_MS, Columns
from exchange_simulator.markets import Market
from exchange_simulator.number_text import NumberTexts
from exchange_simulator.sources import TextColumns, texts_of
from exchange_simulator.traits import EXCHANGE_TRAITS, AssetTraits, asset_traits, unit_hash

__all__ = ["BAD_PRINT_FACTOR", "DayEvents", "SyntheticPrices", "SyntheticSource", "day_events"]

MINUTES = DAY_MS // MINUTE_MS
BAD_PRINT_FACTOR = 1.2
_COMMON_IDLE_SHARE = 0.002
_MINUTE_STEP = 0.0008
_HIGHEST_WICK = 0.0005
_DRIFT_OCTAVES = ((512, 0.4), (64, 0.2), (8, 0.06), (1, 0.015))  # days, share of the price
_QUOTE_FACTORS = {"USDT": 1.0003, "USDC": 1.0001}


@dataclass(frozen=True, slots=True)
class DayEvents:
    """What goes wrong on an exchange on one UTC day, in minutes of that day."""

    outage: range
    bad_print: int | None


def day_events(seed: int, exchange: str, symbol: str, day: int) -> DayEvents:
    """The outage of an exchange (of all its markets) and the bad print of one market."""
    turn = (list(EXCHANGE_TRAITS).index(exchange) + day) % 3
    if turn == 0:
        start = 60 + int(1200 * unit_hash(seed, "outage", exchange, day))
        length = 10 + int(35 * unit_hash(seed, "length", exchange, day))
        return DayEvents(range(start, start + length), None)
    if turn == 1:
        minute = 60 + int(1200 * unit_hash(seed, "print", exchange, symbol, day))
        return DayEvents(range(0), minute)
    return DayEvents(range(0), None)


@dataclass(frozen=True, slots=True)
class _DayPath:
    """The common price at each minute boundary (1441 of them) and the minutes nobody trades."""

    prices: Sequence[float]
    idle_minutes: Sequence[int]

    def __len__(self) -> int:
        return len(self.prices)


class SyntheticPrices:
    """The price paths that all exchanges have in common, one per base asset."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._days: RowBudgetCache[_DayPath] = RowBudgetCache(100_000)

    def day(self, base: str, day: int) -> _DayPath:
        """The common path of one UTC day."""
        return self._days.get_or_make((base, day), lambda: self._make_day(base, day))

    def _make_day(self, base: str, day: int) -> _DayPath:
        asset = asset_traits(base)
        random = Random(f"{self.seed}|path|{base}|{day}").random
        steps = [random() - 0.5 for _ in range(MINUTES)]
        walk = list(accumulate(steps, initial=0.0))
        start, end = self._price_at(base, asset, day), self._price_at(base, asset, day + 1)
        step_size = _MINUTE_STEP * (asset.swing or 0.02)
        # A bridge: back at 0 when the day ends, so that the next day's path joins.
        slope = walk[-1] / MINUTES
        rise = (end - start) / MINUTES
        prices = [
            (start + rise * minute) * (1.0 + step_size * (level - slope * minute))
            for minute, level in enumerate(walk)
        ]
        idle = [minute for minute in range(1, MINUTES) if random() < _COMMON_IDLE_SHARE]
        return _DayPath(array("d", prices), idle)

    def _price_at(self, base: str, asset: AssetTraits, day: int) -> float:
        price = asset.price
        for period, amplitude in _DRIFT_OCTAVES:
            index, offset = divmod(day, period)
            before = unit_hash(self.seed, base, period, index)
            after = unit_hash(self.seed, base, period, index + 1)
            level = before + (after - before) * offset / period
            price *= 1.0 + asset.swing * amplitude * (2.0 * level - 1.0)
        return price


class SyntheticSource:
    """The candles of one market on one exchange (sources.CandleSource)."""

    timeframe_ms = MINUTE_MS
    last_ms: int | None = None
    price_quantum = 1
    volume_quantum = 1

    def __init__(
        self,
        prices: SyntheticPrices,
        exchange: str,
        market: Market,
        number_texts: NumberTexts,
        *,
        first_ms: int,
        sends_idle_bars: bool,
    ) -> None:
        self.first_ms = first_ms
        self._prices = prices
        self._exchange = exchange
        self._market = market
        self._number_texts = number_texts
        self._sends_idle_bars = sends_idle_bars
        self._asset = asset_traits(market.base)
        self._traits = EXCHANGE_TRAITS[exchange]
        self.revision_ms = self._traits.revision_ms

    def columns(self, day: int) -> Columns:
        """The candles of one UTC day, from `first_ms` on."""
        market, traits, asset = self._market, self._traits, self._asset
        path = self._prices.day(market.base, day)
        key = f"{self._prices.seed}|{self._exchange}|{market.symbol}|{day}"
        random = Random(key).random
        noise = traits.noise_bps * 1e-4
        # Ticks per unit of common price, with the least noise of this exchange already in.
        level = 10**market.price_digits * _QUOTE_FACTORS.get(market.quote, 1.0)
        level *= 1.0 + traits.bias_bps * 1e-4 - noise
        spread = 2.0 * noise * level
        prices = path.prices
        opens = [int(price * (level + spread * random())) for price in prices[:-1]]
        closes = [int(price * (level + spread * random())) for price in prices[1:]]
        wick = _HIGHEST_WICK * (asset.swing or 0.05)
        tops, bottoms = map(max, opens, closes), map(min, opens, closes)
        highs = [top + int(top * wick * random()) for top in tops]
        lows = [bottom - int(bottom * wick * random()) for bottom in bottoms]
        steps = asset.minute_volume * traits.volume_share * 10**market.amount_digits
        volumes = [1 + int(steps * share * share * share * 3.0) for share in _draws(random)]
        idle_share = min(0.6, asset.idle_share * traits.idle_factor)
        # The first minute always trades, so that an idle bar has a close to repeat.
        idle = [
            minute for minute, draw in enumerate(_draws(random)) if draw < idle_share and minute
        ]
        events = day_events(self._prices.seed, self._exchange, market.symbol, day)
        if events.bad_print is not None:
            highs[events.bad_print] = int(highs[events.bad_print] * BAD_PRINT_FACTOR)
        untraded = {*path.idle_minutes, *idle} - {events.bad_print}
        if self._sends_idle_bars:
            for minute in sorted(untraded):
                close = closes[minute - 1]
                opens[minute] = highs[minute] = lows[minute] = closes[minute] = close
                volumes[minute] = 0
            untraded = set()
        gone = untraded.union(events.outage, self._minutes_before_listing(day))
        start_ms = day * DAY_MS
        times = range(start_ms, start_ms + DAY_MS, MINUTE_MS)
        return _compact([times, opens, highs, lows, closes, volumes], gone)

    def texts(self, day: int) -> TextColumns:
        """The same in wire text."""
        return self.format(self.columns(day))

    def format(self, columns: Columns) -> TextColumns:
        """Columns in this exchange's number format."""
        market = self._market
        return texts_of(columns, self._number_texts, market.price_digits, market.amount_digits)

    def _minutes_before_listing(self, day: int) -> range:
        return range(min(MINUTES, max(0, (self.first_ms - day * DAY_MS) // MINUTE_MS)))


def _draws(random: Callable[[], float]) -> list[float]:
    return [random() for _ in range(MINUTES)]


def _compact(columns: list[Sequence[int]], gone: set[int]) -> Columns:
    """The columns without the minutes in `gone`, as compact arrays."""
    if gone:
        kept = [minute not in gone for minute in range(MINUTES)]
        columns = [list(compress(column, kept)) for column in columns]
    return Columns(*(array("q", column) for column in columns))
