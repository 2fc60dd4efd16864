"""The truth of one market: its candles, and what an exchange shows of them at which time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PRICE_DIGITS = 2
VOLUME_DIGITS = 4


class Candle(NamedTuple):
    """One candle; prices are multiples of 0.01 and volumes of 0.0001."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class LateChange:
    """A candle that became another one, or none, long after it had closed."""

    at_ms: int
    after: Candle | None


@dataclass
class Market:
    """What was traded, and how its exchange came to show it.

    Attributes:
        length_ms: the length of its candles; days are made from them for whoever asks for days.
        finals: what each candle is in the end, by open time, ascending.
        previews: what is shown in its place until `revision_ms` after its close; one without a
            final candle was withdrawn.
        late: candles that changed after rule T2 calls them final.
        lag_ms: how long after its close a candle is shown first; with 0 the one in progress is
            shown as well.
        standstill: `[start, end)` of the exchange's time in which nothing since `start` is shown.
        broken: kinds of rows shown in place of candles, by open time, until `healed_ms`.
    """

    length_ms: int
    finals: dict[int, Candle]
    previews: dict[int, Candle] = field(default_factory=dict)
    revision_ms: int = 0
    late: dict[int, LateChange] = field(default_factory=dict)
    lag_ms: int = 0
    standstill: tuple[int, int] | None = None
    broken: dict[int, str] = field(default_factory=dict)
    healed_ms: int = 1 << 62
    _open_times: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._open_times = sorted(self.finals.keys() | self.previews.keys())

    @property
    def first_open_ms(self) -> int:
        """The open time of the first candle of the whole history."""
        return min(self.finals)

    def shown(self, start_ms: int, end_ms: int, at_ms: int) -> list[Candle]:
        """The candles that open in `[start_ms, end_ms)`, as they look at `at_ms`, ascending."""
        end_ms = min(end_ms, self._shown_until_ms(at_ms))
        first = bisect_left(self._open_times, start_ms)
        last = bisect_left(self._open_times, end_ms)
        candles = (self._shown_as(open_ms, at_ms) for open_ms in self._open_times[first:last])
        return [candle for candle in candles if candle is not None]

    def days(self, start_ms: int, end_ms: int, at_ms: int, offset_ms: int) -> list[Candle]:
        """The daily candles that open in the span, made from what is shown at `at_ms`.

        They open so long before midnight.
        """
        start_ms = -(-(start_ms + offset_ms) // DAY_MS) * DAY_MS - offset_ms
        end_ms = -(-(end_ms + offset_ms) // DAY_MS) * DAY_MS - offset_ms
        days: dict[int, list[Candle]] = {}
        for candle in self.shown(start_ms, end_ms, at_ms):
            open_ms = (candle.open_ms + offset_ms) // DAY_MS * DAY_MS - offset_ms
            days.setdefault(open_ms, []).append(candle)
        return [_joined(open_ms, candles) for open_ms, candles in days.items()]

    def possible(self, open_ms: int) -> set[Candle | None]:
        """What a candle of this open time may be stored as once it is final by rule T2."""
        final = self.finals.get(open_ms)
        change = self.late.get(open_ms)
        return {final} if change is None else {final, change.after}

    def ever_shown(self, open_ms: int) -> set[Candle | None]:
        """What a candle of this open time may be stored as while it is provisional."""
        preview = self.previews.get(open_ms)
        return self.possible(open_ms) | ({preview} if preview else set()) | {None}

    def _shown_until_ms(self, at_ms: int) -> int:
        """The end of the open times that are shown at all."""
        until_ms = at_ms + 1
        if self.lag_ms:
            until_ms = at_ms - self.length_ms - self.lag_ms + 1
        if self.standstill is not None and self.standstill[0] <= at_ms < self.standstill[1]:
            until_ms = min(until_ms, self.standstill[0])
        return until_ms

    def _shown_as(self, open_ms: int, at_ms: int) -> Candle | None:
        close_ms = open_ms + self.length_ms
        final = self.finals.get(open_ms)
        if at_ms < close_ms:
            return _in_progress(final) if final is not None else None
        if at_ms < close_ms + self.revision_ms and open_ms in self.previews:
            return self.previews[open_ms]
        change = self.late.get(open_ms)
        if change is not None and at_ms >= change.at_ms:
            return change.after
        return final


def _in_progress(final: Candle) -> Candle:
    """Unlike whatever the candle may become, so that it is noticed where it should not be."""
    price = final.open
    return Candle(final.open_ms, price, price, price, price, round(final.volume / 2 + 99_999, 4))


def _joined(open_ms: int, candles: Sequence[Candle]) -> Candle:
    return Candle(
        open_ms,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        round(sum(candle.volume for candle in candles), VOLUME_DIGITS),
    )


@dataclass(frozen=True)
class MarketPlan:
    """How a market is drawn.

    Attributes:
        start_ms, end_ms: its candles open in between, `start_ms` being that of the first one.
        longest_idle: of stretches without a trade, in candles.
        is_flat_filling: whether silent candle lengths are shown as flat candles of volume 0.
        revision_ms: see Market; below two candle lengths, after which rule T2 calls it final.
        late_changes: how many candles change after that, at times in `late_span`.
        broken: how many rows stay broken.
    """

    length_ms: int
    start_ms: int
    end_ms: int
    longest_idle: int
    is_flat_filling: bool = False
    revision_ms: int = 0
    lag_ms: int = 0
    standstill: tuple[int, int] | None = None
    late_changes: int = 0
    late_span: tuple[int, int] = (0, 0)
    broken: int = 0


def drawn(plan: MarketPlan, common: Mapping[int, int], random: Random) -> Market:
    """A market as planned; `common` has the price in hundredths that all markets follow."""
    finals = _finals(plan, common, random)
    market = Market(
        plan.length_ms,
        finals,
        _previews(plan, finals, random),
        plan.revision_ms,
        lag_ms=plan.lag_ms,
        standstill=plan.standstill,
    )
    _change_late(plan, market, random)
    kinds = ("low_above_open", "negative_volume", "no_close", "no_number", "off_grid", "two_differ")
    for open_ms in random.sample(sorted(finals), min(plan.broken, len(finals))):
        market.broken[open_ms] = random.choice(kinds)
    return market


def common_prices(start_ms: int, end_ms: int, length_ms: int, random: Random) -> dict[int, int]:
    """A walk of prices in hundredths, by open time."""
    price = random.choice((1_000, 10_000, 2_500_000))
    step = max(price // 2_000, 1)
    prices = {}
    for open_ms in range(start_ms, end_ms, length_ms):
        price = max(price + random.randint(-step, step), 100)
        prices[open_ms] = price
    return prices


def _finals(plan: MarketPlan, common: Mapping[int, int], random: Random) -> dict[int, Candle]:
    finals: dict[int, Candle] = {}
    open_ms = plan.start_ms
    last_close = 0.0
    share = 1.0
    while open_ms < plan.end_ms:
        stretch, share = _next_stretch(plan.longest_idle, share, random)
        for _ in range(stretch):
            if open_ms >= plan.end_ms:
                break
            if not finals or random.random() < share:
                finals[open_ms] = _candle(open_ms, common[open_ms], random)
                last_close = finals[open_ms].close
            elif plan.is_flat_filling:
                finals[open_ms] = Candle(
                    open_ms, last_close, last_close, last_close, last_close, 0.0
                )
            open_ms += plan.length_ms
    return finals


def _next_stretch(longest_idle: int, share: float, random: Random) -> tuple[int, float]:
    """How many candle lengths come next, and how likely each has a trade."""
    if share and random.random() < 0.5:
        return random.randint(1, longest_idle), 0.0
    return random.randint(3, 120), random.choice((1.0, 0.97, 0.6, 0.15))


def _candle(open_ms: int, common: int, random: Random) -> Candle:
    price = common + common * random.randint(-30, 30) // 10_000
    if random.random() < 0.02:
        price = price * random.choice((80, 94, 104, 106, 130)) // 100
    spread = max(price // 500, 1)
    first, last = price, price + random.randint(-spread, spread)
    high = max(first, last) + random.randint(0, spread)
    low = max(min(first, last) - random.randint(0, spread), 1)
    volume = 0 if random.random() < 0.03 else random.randint(1, 10 ** random.randint(2, 7))
    return Candle(open_ms, first / 100, high / 100, low / 100, max(last, 1) / 100, volume / 10_000)


def _previews(plan: MarketPlan, finals: Mapping[int, Candle], random: Random) -> dict[int, Candle]:
    if not plan.revision_ms:
        return {}
    previews = {}
    first_ms = min(finals)
    for open_ms in range(first_ms, plan.end_ms, plan.length_ms):
        final = finals.get(open_ms)
        if final is not None and random.random() < 0.5:
            close = random.choice((final.open, final.high, final.low))
            volume = round(final.volume / 3, VOLUME_DIGITS)
            previews[open_ms] = final._replace(close=close, volume=volume)
        elif final is None and random.random() < 0.05:
            previews[open_ms] = Candle(open_ms, 1.0, 2.0, 1.0, 1.5, 0.5)
    return previews


def _change_late(plan: MarketPlan, market: Market, random: Random) -> None:
    first_ms, last_ms = plan.late_span
    for _ in range(plan.late_changes):
        at_ms = random.randint(first_ms, last_ms)
        newest_ms = at_ms - 4 * plan.length_ms
        choices = [o for o in market.finals if market.first_open_ms < o < newest_ms]
        if not choices:
            continue
        open_ms = random.choice(choices)
        final = market.finals[open_ms]
        changed = final._replace(volume=round(final.volume + 1, VOLUME_DIGITS))
        # A candle beside silence may be the one that tells that the silence is none of a feed
        # that stands still.
        beside = {open_ms - plan.length_ms, open_ms + plan.length_ms}
        is_amid = beside <= market.finals.keys() - market.late.keys()
        after = random.choice((None, changed)) if is_amid else changed
        market.late[open_ms] = LateChange(at_ms, after)
