"""Draws sequences of runs: the exchanges, their markets, and what is done when."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from random import Random

from fake_exchange import NO_FAULTS, Faults, Kind
from market import DAY_MS, MINUTE_MS, Market, MarketPlan, common_prices, drawn

from candle_ingestor.ingest.sources.judge import FEW_CANDLES

SETTLE_MS = 5_000
ALIAS = "USD:USDT"
FEWEST_STEPS, MOST_STEPS = 2, 7
LAST_STEPS = 3
"""The first fetches what is missing; the second, what an exchange can tell after that; the third,
nothing."""

_SHOWN_FIRST = ("command", "at_ms", "symbols", "exchanges", "minimum", "start", "faults")
_FIRST_DAYS = ((2023, 3, 1), (2024, 3, 1), (2024, 1, 1), (2023, 3, 15))


@dataclass(frozen=True)
class Breakdown:
    """What ends a step before its time.

    Attributes:
        place: `store` or `file`: which writes are counted.
        at: the write that it happens at, from 1.
        is_after: whether that write still takes effect.
        is_crash: whether the process is gone; else the store is, and says so.
    """

    place: str
    at: int
    is_after: bool
    is_crash: bool


@dataclass(frozen=True)
class Step:
    """One command of a sequence.

    Attributes:
        at_ms: the job's time when it begins.
        start: `--backfill_start_date`, `end`: `--backfill_end_date`.
        root: which of the roots it exports to.
        stop_after: after how many requests the run is told to stop.
        unlisted: (exchange, symbol) of markets that are not named then.
        before: `--before` of a prune; None for whole series.
        names_exchanges: whether a prune names its exchanges.
        repairs: whether a verify does.
        tampered: how many candles are changed behind its back before a verify.
        is_last: one of the runs at the end, in which nothing goes wrong.
    """

    command: str
    at_ms: int
    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    minimum: int
    start: str
    end: str | None = None
    has_aliases: bool = False
    deviation_pct: float = 5.0
    high_low: str = "weighted"
    root: int = 0
    exports: bool = True
    exports_exchanges: bool = False
    restates: bool = False
    refetch: int = 2
    stop_after: int | None = None
    stop_is_urgent: bool = False
    breakdown: Breakdown | None = None
    faults: dict[str, Faults] = field(default_factory=dict)
    unlisted: frozenset[tuple[str, str]] = frozenset()
    before: str | None = None
    names_exchanges: bool = False
    repairs: bool = True
    tampered: int = 0
    is_last: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing is made to go wrong in it."""
        has_faults = any(faults != NO_FAULTS for faults in self.faults.values())
        return not has_faults and self.breakdown is None and self.stop_after is None

    def __str__(self) -> str:
        shown = [f"{_time(self.at_ms)} {self.command}", ",".join(self.symbols)]
        shown += [",".join(self.exchanges), f"minimum={self.minimum}", f"start={self.start}"]
        defaults = Step("", 0, (), (), 0, "")
        names = [each.name for each in fields(self) if each.name not in _SHOWN_FIRST]
        for name in names:
            if getattr(self, name) != getattr(defaults, name):
                shown.append(f"{name}={getattr(self, name)}")
        shown += [f"{name}: {each}" for name, each in self.faults.items() if each != NO_FAULTS]
        return " ".join(shown)


@dataclass(frozen=True)
class Sequence:
    """A sequence of commands over one store, and the world it is played in.

    Attributes:
        splits_writes: whether the store writes its changes one by one, as InfluxDB does.
        tick_ms: how much later it is with each request.
        derived: the coarser timeframes that every run makes.
    """

    seed: int
    minutes: int
    kinds: dict[str, Kind]
    markets: dict[tuple[str, str], Market]
    steps: tuple[Step, ...]
    splits_writes: bool
    tick_ms: int
    derived: tuple[str, ...] = ()

    @property
    def length_ms(self) -> int:
        return self.minutes * MINUTE_MS

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.minutes} minutes a candle, tick_ms={self.tick_ms}"
        lines = [f"{head} splits_writes={self.splits_writes} derived={','.join(self.derived)}"]
        lines += [f"  {kind}" for kind in self.kinds.values()]
        for (exchange, symbol), market in self.markets.items():
            standstill = market.standstill and tuple(map(_time, market.standstill))
            lines.append(
                f"  {exchange} {symbol}: first candle {_time(market.first_open_ms)}, "
                f"revision_ms={market.revision_ms} lag_ms={market.lag_ms} "
                f"standstill={standstill} "
                f"late={ {_time(o): _time(c.at_ms) for o, c in market.late.items()} } "
                f"broken={ {_time(o): kind for o, kind in market.broken.items()} }"
            )
        lines += [f"  {number}. {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join(lines)


def draw(seed: int) -> Sequence:
    """The sequence of a seed, always the same one."""
    random = Random(seed)
    minutes = random.choice((1, 1, 5, 5, 60, 60, 1440))
    length_ms = minutes * MINUTE_MS
    kinds = {kind.exchange: kind for kind in _kinds(random)}
    times = _times(minutes, kinds, random)
    oldest_days = _oldest_days(minutes, times[0], random)
    markets = _markets(kinds, oldest_days[0], times, length_ms, random)
    steps = _steps(kinds, markets, times, oldest_days, length_ms, random)
    return Sequence(
        seed,
        minutes,
        kinds,
        markets,
        tuple(steps),
        splits_writes=random.random() < 0.4,
        tick_ms=random.choice((0, 0, 250)),
        derived=_derived(minutes, Random(f"derived {seed}")),
    )


def _derived(minutes: int, random: Random) -> tuple[str, ...]:
    """Coarser timeframes in half of the sequences, some made of others."""
    choices = {
        1: ("3m", "5m", "15m", "1h", "1d"),
        5: ("15m", "1h", "4h", "1d", "1w"),
        60: ("2h", "4h", "12h", "1d", "1w"),
        1440: ("1w",),
    }[minutes]
    if random.random() < 0.5:
        return ()
    return tuple(random.sample(choices, random.randint(1, min(3, len(choices)))))


def draw_maintained(seed: int) -> Sequence:
    """The sequence of a seed with prunes and verifications in between, always the same one."""
    random = Random(f"maintained {seed}")
    sequence = draw(seed)
    steps = list(sequence.steps)
    for _ in range(random.randint(1, 4)):
        place = random.randint(1, len(steps) - LAST_STEPS)
        steps.insert(place, _maintaining(steps[place - 1], random))
    return replace(sequence, steps=tuple(steps))


def _maintaining(last: Step, random: Random) -> Step:
    """A prune or a verification right after a step."""
    step = _with_faults(replace(last, faults={}, breakdown=None, stop_after=None), random)
    step = replace(step, stop_after=None, is_last=False, tampered=0)
    if random.random() < 0.5:
        has_faults = random.random() < 0.3
        return replace(
            step,
            command="verify",
            faults=step.faults if has_faults else {},
            tampered=0 if has_faults else random.choice((0, 1, 3, 10)),
            breakdown=step.breakdown if has_faults else None,
            unlisted=frozenset(),
        )
    exchanges, symbols, before = step.exchanges, step.symbols, None
    if random.random() < 0.7:
        start_ms = step.at_ms - random.choice((1, 3, 40, 200)) * DAY_MS
        before = _time(random.randint(start_ms, step.at_ms))[:16]
    names_exchanges = random.random() < 0.4
    if names_exchanges:
        exchanges = tuple(random.sample(exchanges, random.randint(1, len(exchanges))))
    return replace(
        step,
        command="prune",
        exchanges=exchanges,
        symbols=symbols,
        before=before,
        names_exchanges=names_exchanges,
    )


def _kinds(random: Random) -> list[Kind]:
    page = random.choice((30, 45, 60, 90))
    reach = random.choice((25, 40, 90))
    skew_ms = random.choice((0, 0, 0, 500, 61_000))
    kinds = [
        Kind("coinbaseexchange", page, descends=random.random() < 0.5),
        Kind("bitstamp", page, counts_rows=True),
        Kind("binance", page, counts_rows=True),
        Kind("kraken", reach, ignores_limit=True, reach_candles=reach, skew_ms=skew_ms),
        Kind(
            "gemini",
            page,
            ignores_limit=random.random() < 0.7,
            reach_candles=reach,
            is_reach_described=False,
            skew_ms=skew_ms,
        ),
        Kind("hitbtc", page, is_reach_described=False, counts_rows=random.random() < 0.5),
        Kind("okx", page, most_rows=page * 2 // 3, keeps_newest=random.random() < 0.7),
        Kind("bybit", page, has_odd_days=True, skew_ms=skew_ms),
    ]
    return random.sample(kinds, random.choice((1, 2, 2, 3, 3)))


def _times(minutes: int, kinds: dict[str, Kind], random: Random) -> list[int]:
    """When the steps begin; the last one is that of the runs at the end."""
    length_ms = minutes * MINUTE_MS
    first_ms = int(datetime(*random.choice(_FIRST_DAYS), tzinfo=UTC).timestamp()) * 1000
    first_ms += random.randrange(min(length_ms * 200, DAY_MS)) + random.choice((0, 8_000))
    longest = max(kind.reach_candles or kind.page_candles for kind in kinds.values())
    times = [first_ms]
    for _ in range(random.randint(FEWEST_STEPS, MOST_STEPS) - 1):
        sleep_ms = random.choice(
            (
                0,
                random.randrange(length_ms),
                length_ms,
                random.randint(1, 6) * length_ms + 3_000,
                random.randint(5, 40) * length_ms,
                (longest + random.randint(0, 30)) * length_ms,
            )
        )
        times.append(times[-1] + sleep_ms)
    last_ms = times[-1] + random.choice((0, length_ms, 3 * length_ms, 50 * length_ms))
    return [*times, last_ms]


def _oldest_days(minutes: int, first_ms: int, random: Random) -> list[int]:
    """The days that backfills may start at, the oldest first."""
    today_ms = first_ms // DAY_MS * DAY_MS
    most_days = {1: 1, 5: 3, 60: 45, 1440: 150}[minutes]
    days = {random.randint(0, most_days) for _ in range(random.choice((1, 2, 3)))}
    return [today_ms - day * DAY_MS for day in sorted(days, reverse=True)]


def _markets(
    kinds: dict[str, Kind], oldest_ms: int, times: list[int], length_ms: int, random: Random
) -> dict[tuple[str, str], Market]:
    start_ms = (oldest_ms - random.choice((0, 7, 90)) * length_ms) // length_ms * length_ms
    end_ms = (times[-1] // length_ms + 80) * length_ms
    symbols = ["BTC/USD", *random.choice(((), (), ("BTC/USDT",), ("BTC/USDT",), ("ETH/USD",)))]
    has_standstill = random.random() < 0.25
    markets = {}
    listed = _listed(list(kinds), symbols, random)
    for symbol in symbols:
        common = common_prices(start_ms, end_ms, length_ms, random)
        for exchange, kind in kinds.items():
            if (exchange, symbol) not in listed:
                continue
            first_ms = start_ms
            if random.random() < 0.4:
                first_ms = random.randrange(start_ms, max(times[0], start_ms + 1), length_ms)
            plan = MarketPlan(
                length_ms,
                first_ms,
                end_ms,
                longest_idle=random.choice((5, 20, kind.page_candles, 3 * kind.page_candles)),
                is_flat_filling=exchange == "binance",
                revision_ms=random.choice((0, length_ms, 2 * length_ms - 10_000)),
                lag_ms=random.choice((0, 0, 20_000)),
                standstill=_standstill(kind, times, length_ms, random) if has_standstill else None,
                late_changes=random.choice((0, 0, 0, 2)),
                late_span=(times[0], times[-1]),
                broken=random.choice((0, 0, 0, 0, 1, 3)),
            )
            market = drawn(plan, common, random)
            if market.standstill and market.standstill[0] <= market.first_open_ms:
                market.standstill = None
            market.healed_ms = times[-1] - 1
            if kind.has_odd_days and length_ms == DAY_MS:
                market.broken.clear()
            markets[exchange, symbol] = market
    return markets


def _listed(exchanges: list[str], symbols: list[str], random: Random) -> set[tuple[str, str]]:
    """Which exchange trades what: each something, and one of them BTC/USD at least."""
    listed = {(exchanges[0], "BTC/USD")}
    for exchange in exchanges:
        some = [symbol for symbol in symbols if random.random() < 0.75]
        listed |= {(exchange, symbol) for symbol in some or symbols}
    return listed


def _standstill(
    kind: Kind, times: list[int], length_ms: int, random: Random
) -> tuple[int, int] | None:
    """So short that one page of the next run shows its end: older silence is final (rule T2)."""
    start_ms = random.choice(times) - random.randrange(10) * length_ms
    candles = random.randint(2, kind.page_candles - 5)
    asked_again = max(kind.page_candles // 2, kind.page_candles - FEW_CANDLES - 1)
    candles = min(candles, asked_again - 1)
    end_ms = start_ms + candles * length_ms
    return (start_ms, min(end_ms, times[-1])) if start_ms < times[-1] else None


def _steps(
    kinds: dict[str, Kind],
    markets: dict[tuple[str, str], Market],
    times: list[int],
    days: list[int],
    length_ms: int,
    random: Random,
) -> list[Step]:
    base = Step(
        "ingest",
        times[0],
        tuple(dict.fromkeys(symbol for _, symbol in sorted(markets, key=lambda key: key[1]))),
        tuple(kinds),
        random.randint(1, len(kinds)),
        _day(random.choice(days)),
        has_aliases=random.random() < 0.7,
    )
    if any(symbol == "BTC/USDT" for _, symbol in markets) and base.has_aliases:
        unlisted = frozenset(random.sample(sorted(markets), random.choice((0, 0, 1))))
        base = replace(base, unlisted=unlisted)
    steps = []
    for number, at_ms in enumerate(times[:-1]):
        step = _varied(replace(base, at_ms=at_ms), days, length_ms, random)
        if number and random.random() < 0.25:
            step = replace(step, command=random.choice(("merge", "export")))
        steps.append(_with_faults(step, random))
        if random.random() < 0.3:
            base = replace(
                base,
                minimum=random.randint(1, len(kinds)),
                deviation_pct=random.choice((5.0, 5.0, 0.5)),
                high_low=random.choice(("weighted", "weighted", "extremes")),
            )
    last = replace(base, is_last=True, unlisted=frozenset(), start=_day(days[0]))
    most = max(sum(symbol == each for _, each in markets) for symbol in base.symbols)
    last = replace(last, minimum=min(base.minimum, most))
    return [*steps, *[replace(last, at_ms=times[-1])] * LAST_STEPS]


def _varied(step: Step, days: list[int], length_ms: int, random: Random) -> Step:
    """The step with flags of its own, most of them as they are usually."""
    start = _day(random.choice(days))
    end = None
    chance = random.random()
    if chance < 0.15:
        start = "skip"
    elif chance < 0.25:
        end = _day(random.choice(days) + random.choice((1, 1, 2, 30)) * DAY_MS)
        end = end if end > start else None
    exchanges = step.exchanges
    if random.random() < 0.15:
        chosen = set(random.sample(exchanges, random.randint(1, len(exchanges))))
        exchanges = tuple(exchange for exchange in exchanges if exchange in chosen)
    symbols = step.symbols
    if random.random() < 0.2:
        symbols = (random.choice(symbols),)
    return replace(
        step,
        start=start,
        end=end,
        exchanges=exchanges,
        minimum=min(step.minimum, len(exchanges)),
        symbols=symbols,
        root=random.choice((0, 0, 0, 1)),
        exports=random.random() < 0.8,
        exports_exchanges=random.random() < 0.3,
        restates=random.random() < 0.15,
        refetch=random.choice((2, 2, 2, 4)),
    )


def _with_faults(step: Step, random: Random) -> Step:
    if random.random() < 0.35:
        return step
    faults = {exchange: _faults(random) for exchange in step.exchanges}
    breakdown = None
    if random.random() < 0.35:
        place = random.choice(("store", "store", "file"))
        at = random.randint(1, random.choice((4, 12, 40)))
        is_crash = place == "file" or random.random() < 0.7
        breakdown = Breakdown(place, at, random.random() < 0.5, is_crash)
    stop_after = random.randint(1, 40) if random.random() < 0.1 else None
    return replace(
        step,
        faults=faults,
        breakdown=breakdown,
        stop_after=stop_after,
        stop_is_urgent=random.random() < 0.3,
    )


def _faults(random: Random) -> Faults:
    chance = random.random()
    if chance < 0.08:
        return Faults(is_down=True)
    if chance < 0.13:
        return Faults(refuses_at=random.randint(0, 20))
    if chance < 0.4:
        return NO_FAULTS
    return Faults(
        changed=random.choice((0.0, 0.1, 0.3, 0.6)),
        failed=random.choice((0.0, 0.05, 0.2)),
        malformed=random.choice((0.0, 0.0, 0.1)),
    )


def _day(time_ms: int) -> str:
    return _time(time_ms)[:10]


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
