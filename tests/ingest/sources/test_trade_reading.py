"""Pages of trades of an exchange that a test scripts: what is believed, and what stays open."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.exchanges.trade_habits import (
    TimeForm,
    TradeCursor,
    TradeHabits,
    TradeLayout,
)
from candle_ingestor.exchanges.trades import TRADES, RawTrades
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.trades_source import TradeCandles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import StopSignal

START_MS = 1_709_251_200_000
MINUTE_MS = 60_000
NS_PER_MS = 1_000_000
SERIES = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
LAYOUT = TradeLayout(time=0, price=1, amount=2, id=3, time_form=TimeForm.SECONDS)

Trade = tuple[int, float, str, str | None]
"""Nanoseconds after START_MS, price, amount, id."""


@dataclass
class ScriptedTrades:
    """A client with a tape of trades; `change` alters the number-th answer, from 1."""

    tape: Sequence[Trade]
    cursor: TradeCursor = TradeCursor.AFTER_NS
    page_trades: int = 3
    change: Callable[[int, list[Trade]], list[Any]] = lambda _number, rows: rows
    asked: list[int | None] = field(default_factory=list)
    exchange: str = "kraken"
    timeframes: tuple[str, ...] = ("1m", "1d")
    address: str = "default"
    seconds_per_request: float = 0.0

    @property
    def habits(self) -> ExchangeHabits:
        return ExchangeHabits("kraken", 720, reach_candles=720)

    @property
    def trade_habits(self) -> TradeHabits:
        return TradeHabits("kraken", self.page_trades, self.cursor, LAYOUT, 100)

    async def fetch_markets(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def use_markets(self, markets: list[dict[str, Any]]) -> bool:
        raise NotImplementedError

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        raise NotImplementedError

    async def fetch_trades(self, market_symbol: str, cursor: int | None, limit: int) -> RawTrades:
        assert (market_symbol, limit) == ("BTC/USD", self.page_trades)
        self.asked.append(cursor)
        rows = self.change(len(self.asked), self._page(cursor))
        shown = [(None if ns is None else START_MS * NS_PER_MS + ns, *rest) for ns, *rest in rows]
        frame = pl.DataFrame(shown, schema=TRADES, orient="row")
        return RawTrades(frame, [list(row) for row in rows])

    async def close(self) -> None:
        pass

    def _page(self, cursor: int | None) -> list[Trade]:
        start_ns = START_MS * NS_PER_MS
        if self.cursor is TradeCursor.BEFORE_ID:
            below = [t for t in self.tape if cursor is None or int(t[3] or 0) < cursor]
            return below[-self.page_trades :][::-1]
        if cursor is None:
            return list(self.tape[-self.page_trades :])
        if self.cursor is TradeCursor.FROM_MS:
            shown = [t for t in self.tape if (t[0] + start_ns) // NS_PER_MS >= cursor]
        else:
            shown = [t for t in self.tape if t[0] + start_ns > cursor]
        return shown[: self.page_trades]


def read(
    client: ScriptedTrades, minutes: int, *, now_minute: int = 100_000, counts: Any = None
) -> list[Page]:
    """The pages of the first so many minutes."""
    session = ExchangeSession(client, RetryPolicy(), StopSignal())
    now_ms = START_MS + now_minute * MINUTE_MS
    source = TradeCandles(session, lambda: now_ms, 5, 0)
    interval = Interval(START_MS, START_MS + minutes * MINUTE_MS)

    async def all_pages() -> list[Page]:
        pages = source.pages(SERIES, interval, Known(), counts or SourceCounts())
        return [page async for page in pages]

    return asyncio.run(all_pages())


def rows_of(pages: list[Page]) -> list[tuple[Any, ...]]:
    return [row for page in pages for row in page.candles.rows()]


def answered_of(pages: list[Page]) -> IntervalSet:
    return IntervalSet(interval for page in pages for interval in page.answered)


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


def at(minute: float, price: float, number: int, amount: str = "1") -> Trade:
    return round(minute * MINUTE_MS) * NS_PER_MS, price, amount, str(number)


BEFORE: Trade = (-5 * MINUTE_MS * NS_PER_MS, 1.0, "1", "1")


@st.composite
def tapes(draw: st.DrawFn) -> list[Trade]:
    """Trades some of which share their time, though never as many as a page has."""
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 20_000, 70_000]), min_size=1, max_size=60))
    has_ids = draw(st.booleans())
    trades: list[Trade] = [BEFORE]
    time_ms, at_once, trade_id = 0, 1, 10
    for number, step in enumerate(steps):
        at_once = 1 if step else at_once + 1
        time_ms += step or (1 if at_once == 4 else 0)
        at_once = 1 if at_once == 4 else at_once
        trade_id += draw(st.sampled_from([1, 1, 1, 9]))
        price, amount = float(1 + number * 7 % 5), f"0.{number + 1:03d}"
        shown_id = str(trade_id) if has_ids else None
        trades.append((time_ms * NS_PER_MS, price, amount, shown_id))
    return trades


def exactly(tape: list[Trade], minutes: int) -> list[tuple[Any, ...]]:
    by_minute: dict[int, list[Trade]] = {}
    for trade in tape:
        minute = trade[0] // NS_PER_MS // MINUTE_MS
        if 0 <= minute < minutes:
            by_minute.setdefault(minute, []).append(trade)
    return [
        (
            START_MS + minute * MINUTE_MS,
            group[0][1],
            max(t[1] for t in group),
            min(t[1] for t in group),
            group[-1][1],
            float(sum((Decimal(t[2]) for t in group), Decimal())),
        )
        for minute, group in by_minute.items()
    ]


@given(tapes(), st.sampled_from(TradeCursor), st.integers(4, 8), st.integers(1, 30))
def test_any_tape_gives_its_candles_whatever_the_cursor_and_the_page(
    tape: list[Trade], cursor: TradeCursor, page_trades: int, minutes: int
) -> None:
    if cursor is TradeCursor.BEFORE_ID and tape[-1][3] is None:
        return
    client = ScriptedTrades(tape, cursor, page_trades)
    pages = read(client, minutes)
    assert [page.failure for page in pages if page.failure] == []
    assert rows_of(pages) == exactly(tape, minutes)
    assert answered_of(pages) == span(0, minutes)


def test_a_minute_is_answered_when_a_later_trade_proves_it_complete() -> None:
    tape = [BEFORE, at(0.1, 10, 2), at(0.5, 11, 3), at(1.2, 12, 4), at(1.5, 13, 5), at(3, 14, 6)]
    pages = read(ScriptedTrades(tape, page_trades=4), 3)
    assert [tuple(page.done) for page in pages] == [
        span(0, 1).intervals[0],
        span(1, 3).intervals[0],
    ]


def test_trades_of_one_time_that_a_page_cuts_apart_are_all_taken_once() -> None:
    tape = [BEFORE, at(0.1, 10, 2), at(0.5, 11, 3), at(0.5, 15, 4), at(0.5, 9, 5), at(2, 12, 6)]
    client = ScriptedTrades(tape, page_trades=4)
    assert rows_of(read(client, 1)) == [(START_MS, 10.0, 15.0, 9.0, 9.0, 4.0)]
    assert rows_of(read(ScriptedTrades(tape, page_trades=3), 1)) == []


def test_a_cursor_that_does_not_advance_fails_with_words() -> None:
    tape = [BEFORE, *(at(0.5, 10, number) for number in range(2, 8)), at(2, 12, 9)]
    [failed, *_] = read(ScriptedTrades(tape, page_trades=3), 1)
    assert isinstance(failed.failure, MalformedAnswerError)
    assert "does not advance" in str(failed.failure)
    assert failed.reasons == {GapReason.FETCH_FAILED: span(0, 1)}


def test_an_answer_without_the_known_trade_is_asked_for_again() -> None:
    tape = [BEFORE, at(0.1, 10, 2), at(0.5, 11, 3), at(0.7, 12, 4), at(0.9, 13, 5), at(2, 14, 6)]

    def change(number: int, rows: list[Trade]) -> list[Trade]:
        return rows[1:] if number == 3 else rows

    pages = read(ScriptedTrades(tape, change=change), 1)
    assert rows_of(pages) == [(START_MS, 10.0, 13.0, 10.0, 13.0, 4.0)]


def test_an_answer_that_never_shows_the_known_trade_leaves_the_minutes_open() -> None:
    tape = [BEFORE, at(0.1, 10, 2), at(0.5, 11, 3), at(0.7, 12, 4), at(0.9, 13, 5), at(2, 14, 6)]

    def change(number: int, rows: list[Trade]) -> list[Trade]:
        return [row for row in rows if row[1] != 12] if number > 2 else rows

    pages = read(ScriptedTrades(tape, change=change), 1)
    assert answered_of(pages) == EMPTY
    assert "no answer can be believed" in str(pages[0].failure)


def test_the_head_of_the_first_answer_is_heard_until_it_is_the_same_twice() -> None:
    tape = [BEFORE, *(at(0.1 * n, 10 + n, n) for n in range(2, 9)), at(2, 12, 20)]

    def change(number: int, rows: list[Trade]) -> list[Trade]:
        return rows[2:] if number == 1 else rows

    client = ScriptedTrades(tape, page_trades=9, change=change)
    assert rows_of(read(client, 1))[0][1] == 12.0
    assert len(client.asked) == 3


@pytest.mark.parametrize("empty", [1, 2])
def test_an_empty_answer_is_asked_again(empty: int) -> None:
    tape = [BEFORE, at(0.1, 10, 2), at(2, 14, 6)]

    def change(number: int, rows: list[Trade]) -> list[Trade]:
        return [] if number <= empty else rows

    assert len(rows_of(read(ScriptedTrades(tape, change=change), 1))) == 1


def test_silence_to_the_present_is_answered_where_the_market_was_traded_before() -> None:
    client = ScriptedTrades([BEFORE])
    pages = read(client, 3, now_minute=10_000)
    assert answered_of(pages) == span(0, 3)
    assert rows_of(pages) == []


@pytest.mark.parametrize("cursor", TradeCursor)
def test_silence_about_everything_is_not_believed(cursor: TradeCursor) -> None:
    client = ScriptedTrades([], cursor)
    [page] = read(client, 30)
    assert answered_of([page]) == EMPTY
    assert page.reasons == {GapReason.FETCH_FAILED: span(0, 30)}
    assert isinstance(page.failure, MalformedAnswerError)
    assert len(client.asked) < 10


@pytest.mark.parametrize("tape", [[BEFORE, at(50, 10, 2)], [BEFORE, at(0.1, 9, 2), at(50, 10, 3)]])
def test_silence_is_not_believed_of_a_market_that_shows_newer_trades(tape: list[Trade]) -> None:
    hidden = START_MS + 10 * MINUTE_MS

    def change(_number: int, rows: list[Trade]) -> list[Trade]:
        is_newest = client.asked[-1] is None
        shown_ms = [START_MS + row[0] // NS_PER_MS for row in rows]
        return [r for r, t in zip(rows, shown_ms, strict=True) if is_newest or t < hidden]

    client = ScriptedTrades(tape, change=change)
    pages = read(client, 30)
    assert answered_of(pages) == EMPTY
    assert "a newer one when asked" in str(pages[0].failure)


def test_the_end_of_the_feed_is_believed_when_nothing_new_is_said_twice() -> None:
    tape = [BEFORE, at(0.1, 10, 2)]
    client = ScriptedTrades(tape)
    pages = read(client, 3, now_minute=3)
    # Settled candles only, five seconds after their close.
    assert answered_of(pages) == span(0, 2)
    assert len(rows_of(pages)) == 1
    # The head twice, nothing new twice, and the newest trades.
    assert len(client.asked) == 5


def test_a_trade_that_stays_malformed_leaves_its_minute_open_and_is_told_with_its_raw_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = (round(1.5 * MINUTE_MS) * NS_PER_MS, 12.0, None, "4")
    tape: list[Any] = [BEFORE, at(0.1, 10, 2), at(1.2, 11, 3), bad, at(2.5, 13, 5), at(4, 14, 6)]
    counts = SourceCounts()
    with caplog.at_level(logging.WARNING):
        pages = read(ScriptedTrades(tape, page_trades=10), 4, counts=counts)
    assert [row[0] for row in rows_of(pages)] == [START_MS, START_MS + 2 * MINUTE_MS]
    assert answered_of(pages) == span(0, 1) | span(2, 4)
    assert pages[0].reasons == {GapReason.REJECTED: span(1, 2)}
    assert '12.0, null, "4"' in caplog.text
    assert counts.rejected > 0


def test_a_malformed_trade_without_a_time_leaves_its_whole_answer_open() -> None:
    bad = (None, 12.0, "1", "4")
    tape: list[Trade] = [BEFORE, at(0.1, 10, 2), at(1.2, 11, 3), at(2.5, 13, 5), at(4, 14, 6)]

    def change(_number: int, rows: list[Trade]) -> list[Any]:
        return [rows[0], bad, *rows[1:]] if rows[0][3] == "2" else rows

    pages = read(ScriptedTrades(tape, page_trades=3, change=change), 4)
    assert answered_of(pages) == span(3, 4)
    assert [row[0] for row in rows_of(pages)] == []
