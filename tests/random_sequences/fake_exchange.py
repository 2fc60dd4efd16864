"""An exchange without HTTP: it shows its markets' truth in its own way, with faults on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from market import DAY_MS, Candle, Market

from candle_ingestor.exchanges.errors import (
    ExchangeRefusedError,
    MalformedAnswerError,
    NetworkFaultError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
)
from candle_ingestor.exchanges.habits import ExchangeHabits, habits_of
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.model.timeframe import Timeframe

Row = Sequence[int | float | None]

GMT_PLUS_8_MS = 8 * 3_600_000
_OPENED_YEAR = 2022
_CCXT_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_CUTS = ("head", "tail", "first_only", "empty", "bad_row", "off_grid", "two_differ", "same_twice")


@dataclass(frozen=True)
class Kind:
    """How an exchange answers, whatever is asked.

    Attributes:
        exchange: a ccxt exchange id, whose habits the job believes to be true here.
        page_candles: the page size that the job assumes, in place of the habits' own.
        most_rows: how many rows an answer has at most in truth.
        keeps_newest: which end of the range such a short answer shows.
        counts_rows: whether the limit counts rows, silent times left out, or candle lengths.
        ignores_limit: whether it shows all that it has since the time asked for.
        reach_candles: how far back answers go in truth; None for the whole history.
        is_reach_described: whether the job is told of that reach, or of there being none.
        skew_ms: how far its clock is ahead of the job's.
        descends: whether rows come newest first.
        has_odd_days: whether its days begin at 16:00 UTC.
    """

    exchange: str
    page_candles: int
    most_rows: int = 1 << 30
    keeps_newest: bool = False
    counts_rows: bool = False
    ignores_limit: bool = False
    reach_candles: int | None = None
    is_reach_described: bool = True
    skew_ms: int = 0
    descends: bool = False
    has_odd_days: bool = False

    @property
    def habits(self) -> ExchangeHabits:
        """What the job believes of it."""
        return replace(
            habits_of(self.exchange, None),
            page_candles=self.page_candles,
            reach_candles=self.reach_candles if self.is_reach_described else None,
            is_reach_known=self.is_reach_described,
            opened_year=_OPENED_YEAR,
        )


@dataclass(frozen=True)
class Faults:
    """What goes wrong during one step, as shares of requests.

    Of the time that a changed answer was asked for, all others of the same step are true, so that
    no repetition of a question confirms what is not so.
    """

    changed: float = 0.0
    failed: float = 0.0
    malformed: float = 0.0
    is_down: bool = False
    refuses_at: int | None = None


NO_FAULTS = Faults()


@dataclass
class FakeExchange:
    """The CandleClient of one exchange, used for every run of a sequence.

    Attributes:
        markets: by symbol, as `BTC/USD`.
        listed: the symbols that it names when asked for markets.
        now_ms: the job's time.
        on_request: called at every request for candles.
        seconds_per_request: the pace that it claims; nobody keeps it here.
    """

    kind: Kind
    markets: dict[str, Market]
    now_ms: Callable[[], int]
    listed: set[str] = field(default_factory=set)
    on_request: Callable[[], None] = lambda: None
    faults: Faults = NO_FAULTS
    requests: int = 0
    seconds_per_request: float = 0.0
    _randoms: dict[str, Random] = field(default_factory=dict)
    _seed: str = ""
    _changed_spans: list[tuple[str, int, int]] = field(default_factory=list)
    _failures_left: list[Exception] = field(default_factory=list)

    def begin_step(self, seed: str, faults: Faults, listed: set[str]) -> None:
        """Starts over with these faults, drawn from this seed."""
        self._seed = seed
        self._randoms.clear()
        self._changed_spans.clear()
        self._failures_left.clear()
        self.faults = faults
        self.listed = listed
        self.requests = 0

    @property
    def exchange(self) -> str:
        return self.kind.exchange

    @property
    def habits(self) -> ExchangeHabits:
        return self.kind.habits

    @property
    def timeframes(self) -> Sequence[str]:
        return _CCXT_TIMEFRAMES

    @property
    def address(self) -> str:
        return "fake"

    async def fetch_markets(self) -> list[dict[str, Any]]:
        if self.faults.is_down:
            raise NetworkFaultError(f"{self.exchange} is down")
        if self.faults.refuses_at == 0:
            raise ExchangeRefusedError(f"{self.exchange} refuses")
        return [_market_dictionary(symbol) for symbol in sorted(self.listed)]

    def use_markets(self, markets: list[dict[str, Any]]) -> None:
        """Nothing of theirs is needed here."""

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        self.requests += 1
        self.on_request()
        asked = f"{market_symbol} {timeframe}"
        random = self._randoms.setdefault(asked, Random(f"{self._seed} {asked}"))
        self._fail_perhaps(random)
        if market_symbol not in self.listed or market_symbol not in self.markets:
            raise RequestRejectedError(f"{self.exchange} does not list {market_symbol}")
        rows = self._true_rows(self.markets[market_symbol], timeframe, since_ms, limit)
        end_ms = since_ms + limit * timeframe.duration_ms
        if random.random() < self.faults.changed and not self._was_changed(asked, since_ms, end_ms):
            self._changed_spans.append((asked, since_ms, end_ms))
            rows = _changed(rows, random.choice(_CUTS), random)
        if self.kind.descends:
            rows = rows[::-1]
        return RawRows.from_rows(rows, rows)

    async def close(self) -> None:
        """Nothing to release."""

    def shown_from_ms(self, length_ms: int) -> int:
        """Where its answers begin now."""
        if self.kind.reach_candles is None:
            return 0
        at_ms = self.now_ms() + self.kind.skew_ms
        return at_ms // length_ms * length_ms - (self.kind.reach_candles - 1) * length_ms

    def _was_changed(self, asked: str, start_ms: int, end_ms: int) -> bool:
        return any(
            other == asked and start_ms < other_end_ms and other_start_ms < end_ms
            for other, other_start_ms, other_end_ms in self._changed_spans
        )

    def _fail_perhaps(self, random: Random) -> None:
        faults = self.faults
        if faults.is_down:
            raise NetworkFaultError(f"{self.exchange} is down")
        if faults.refuses_at is not None and self.requests > faults.refuses_at:
            raise ExchangeRefusedError(f"{self.exchange} refuses")
        if self._failures_left:
            raise self._failures_left.pop()
        if random.random() < faults.failed:
            error = random.choice(
                (
                    ServerFaultError(f"{self.exchange} fails"),
                    NetworkFaultError(f"{self.exchange} is not heard"),
                    RateLimitedError(f"{self.exchange} asks to slow down", None),
                )
            )
            self._failures_left = [error] * random.choice((0, 1, 2, 5))
            raise error
        if random.random() < faults.malformed:
            raise MalformedAnswerError(f"{self.exchange} answers nonsense")

    def _true_rows(
        self, market: Market, timeframe: Timeframe, since_ms: int, limit: int
    ) -> list[Row]:
        length_ms = timeframe.duration_ms
        at_ms = self.now_ms() + self.kind.skew_ms
        start_ms = max(since_ms, self.shown_from_ms(length_ms))
        end_ms = at_ms + length_ms
        if not self.kind.counts_rows and not self.kind.ignores_limit:
            end_ms = min(end_ms, since_ms + limit * length_ms)
        offset_ms = GMT_PLUS_8_MS if self.kind.has_odd_days and length_ms == DAY_MS else 0
        if length_ms == market.length_ms:
            shown = market.shown(start_ms + offset_ms, end_ms + offset_ms, at_ms)
            candles = [candle._replace(open_ms=candle.open_ms - offset_ms) for candle in shown]
        elif length_ms == DAY_MS:
            candles = market.days(start_ms, end_ms, at_ms, offset_ms)
        else:
            raise RequestRejectedError(f"{self.exchange} has no {timeframe} candles here")
        if self.kind.counts_rows:
            candles = candles[:limit]
        if len(candles) > self.kind.most_rows:
            most = self.kind.most_rows
            candles = candles[-most:] if self.kind.keeps_newest else candles[:most]
        rows: list[Row] = []
        for candle in candles:
            broken = market.broken.get(candle.open_ms) if at_ms < market.healed_ms else None
            rows += _broken(candle, broken) if broken else [tuple(candle)]
        return rows


def _market_dictionary(symbol: str) -> dict[str, Any]:
    base, _, quote = symbol.partition("/")
    return {
        "id": f"{base}{quote}",
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "type": "spot",
        "spot": True,
        "active": True,
        "precision": {"price": 0.01, "amount": 0.0001},
        "info": {},
    }


def _broken(candle: Candle, kind: str) -> list[Row]:
    open_ms, first, high, low, close, volume = candle
    rows: dict[str, list[Row]] = {
        "low_above_open": [(open_ms, first, high, high + 1, close, volume)],
        "negative_volume": [(open_ms, first, high, low, close, -1.0)],
        "no_close": [(open_ms, first, high, low, None, volume)],
        "no_number": [(open_ms, first, high, low, close, float("nan"))],
        "off_grid": [(open_ms + 13_000, first, high, low, close, volume)],
        "two_differ": [tuple(candle), (open_ms, first, high, low, close, volume + 1)],
    }
    return rows[kind]


def _changed(rows: list[Row], how: str, random: Random) -> list[Row]:
    if not rows or how == "empty":
        return []
    if len({row[0] for row in rows}) < len(rows):
        # A cut between two rows of one time would leave one that is false and looks true.
        return rows
    place = random.randrange(len(rows))
    row = rows[place]
    if how == "head":
        return rows[random.randint(1, len(rows)) :]
    if how == "tail":
        return rows[:place]
    if how == "first_only":
        return rows[:1]
    if how == "same_twice":
        return [*rows[:place], row, *rows[place:]]
    if how == "bad_row":
        return [*rows[:place], (row[0], row[1], None, *row[3:]), *rows[place + 1 :]]
    if how == "off_grid":
        return [*rows[:place], ((row[0] or 0) + 13_000, *row[1:]), *rows[place + 1 :]]
    return [*rows[:place], row, (*row[:5], (row[5] or 0) + 1), *rows[place + 1 :]]
