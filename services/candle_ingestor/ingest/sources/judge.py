"""What an answer of an exchange vouches for (rules C2, T1 and T2). Pure.

An answer shows rows, and is silent about the rest of the time that it was asked for. It vouches for
the time from its first row to the end of its last one: what lies between two rows that were shown
is known. A cut answer lacks rows at its head or at its tail, so that silence there needs a proof of
its own:

- Head: the time before the first row is asked for on its own, up to that row. It is believed when
  two such answers show that row again and nothing before it. A known candle that was asked for once
  more and is not shown is a silent head like any other.
- Nothing but the known candle, at which the request began: said twice.
- Nothing at all: said three times, and never where the request began at a known candle.
- Tail: the next request begins at the last candle shown, and says what followed.
- A few candles at the present end need none of that: they are provisional, and the next run asks.

Silence that is believed so is known to have had no trade only where the exchange can tell: within
its reach, after its market was listed, and, of an exchange that nobody has described, after a
candle that it shows now. The pager finds that out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import polars as pl

from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.ingest.sources.base import Page
from candle_ingestor.ingest.sources.heard import Heard, PageAsk
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe

MOST_ASKS = 4
"""How often the same is asked before it is given up."""

SAME_HEADS_NEEDED = 2
"""How often a silent head is heard on its own. Where pages are shorter than they are thought to
be, one cut of a single answer would go unnoticed."""

MOST_ASKS_OF_HEAD = 12
"""How often the time before the first row is asked for, while ever earlier ones come to light."""

EMPTY_ANSWERS_NEEDED = 3
"""How many empty answers in a row are believed."""

FEW_CANDLES = 10
"""The longest unheard silence at the present end that one answer settles, provisionally."""

REACH_MARGIN_CANDLES = 2
"""An exchange's clock may be ahead of the machine's: its reach then begins later than it seems."""


class Doubt(Enum):
    """Why an answer is not believed at its first hearing."""

    EMPTY = "is empty"
    EMPTY_BUT_HAD_CANDLE = "is empty, although a candle was shown there before"
    NOTHING_NEW = "shows nothing after the known candle"


SAME_ANSWERS_NEEDED: Mapping[Doubt, int | None] = {
    Doubt.EMPTY: EMPTY_ANSWERS_NEEDED,
    Doubt.EMPTY_BUT_HAD_CANDLE: None,
    Doubt.NOTHING_NEW: 2,
}
"""How many answers in a row must say the same; None where repetition proves nothing."""


def doubt_of(ask: PageAsk, heard: Heard) -> Doubt | None:
    """Whether the whole answer is to be heard again."""
    if heard.last_ms is None:
        return Doubt.EMPTY if ask.overlap_ms is None else Doubt.EMPTY_BUT_HAD_CANDLE
    is_before_wanted = heard.last_ms + ask.timeframe.duration_ms <= ask.wanted.start_ms
    if is_before_wanted and heard.last_candle_ms in (ask.overlap_ms, None):
        return Doubt.NOTHING_NEW
    return None


def is_muddled(ask: PageAsk, heard: Heard) -> bool:
    """Whether rejected rows leave unclear what the answer's silence means (rule M8)."""
    if heard.has_unplaceable:
        return True
    if not heard.rejected & IntervalSet.of(ask.start_ms, ask.wanted.end_ms):
        return False
    if ask.overlap_ms is None:
        return heard.candles.is_empty()
    return not heard.shows(ask.overlap_ms)


def silent_tail(ask: PageAsk, heard: Heard) -> Interval:
    """What the answer, asked for to the end of the page, leaves open after its last row."""
    start_ms = max(ask.start_ms, ask.wanted.start_ms)
    if heard.last_ms is not None:
        start_ms = max(start_ms, heard.last_ms + ask.timeframe.duration_ms)
    return Interval(start_ms, max(start_ms, ask.end_ms))


def needs_no_proof(
    tail: Interval, ask: PageAsk, provisional: IntervalSet, closed_end_ms: int, asked_again_ms: int
) -> bool:
    """Whether a silent tail is so short that the next run may confirm it.

    `closed_end_ms` is the end of the newest closed candle; `provisional` was silent before.
    `asked_again_ms` is as of `asked_again_from_ms`: no run confirms what is older.
    """
    few_ms = FEW_CANDLES * ask.timeframe.duration_ms
    is_at_present = tail.end_ms == ask.wanted.end_ms and ask.wanted.end_ms >= closed_end_ms - few_ms
    unheard = IntervalSet((tail,)) - provisional
    if not is_at_present or unheard.duration_ms > few_ms:
        return False
    return not unheard or unheard.start_ms >= asked_again_ms


def asked_again_from_ms(timeframe: Timeframe, now_ms: int, page_ms: int) -> int:
    """From when on silence that nothing confirms is provisional: nearly `page_ms` before now.

    So the next run asks for it and for a few candles more with one request.
    """
    room_ms = (FEW_CANDLES + 1) * timeframe.duration_ms
    return timeframe.floor_ms(timeframe.floor_ms(now_ms) - max(page_ms // 2, page_ms - room_ms))


def reach_start_ms(
    reach_candles: int | None, timeframe: Timeframe, now_ms: int, heard: Heard | None = None
) -> int | None:
    """From where on an exchange that answers its newest `reach_candles` candles is believed.

    That is a margin later than its reach begins by the clock, or by what it shows itself.
    """
    if reach_candles is None:
        return None
    newest_ms = timeframe.floor_ms(now_ms)
    if heard is not None and heard.last_ms is not None:
        newest_ms = max(newest_ms, heard.last_ms)
    candles_back = reach_candles - 1 - REACH_MARGIN_CANDLES
    return newest_ms - candles_back * timeframe.duration_ms


@dataclass(frozen=True)
class Findings:
    """What is believed of an answer.

    Attributes:
        heard: what it shows.
        end_ms: where the next request takes over.
        silence: believed silence before its first row or after its last one.
        unconfirmed: the part of `silence` after which no candle was shown.
        reasons: of what stays open, but for rejected minutes.
        failure: what kept a part from being answered.
        is_muddled: its rejected rows leave all its silence open.
    """

    heard: Heard
    end_ms: int
    silence: IntervalSet = EMPTY
    unconfirmed: IntervalSet = EMPTY
    reasons: Mapping[GapReason, IntervalSet] = field(default_factory=dict)
    failure: ExchangeError | None = None
    is_muddled: bool = False


def vouched_end_ms(ask: PageAsk, heard: Heard) -> int:
    """The end of the answer's last row, within what is wanted; its start where there is none."""
    if heard.last_ms is None:
        return ask.wanted.start_ms
    end_ms = min(heard.last_ms + ask.timeframe.duration_ms, ask.wanted.end_ms)
    return max(end_ms, ask.wanted.start_ms)


def page_of(ask: PageAsk, found: Findings, now_ms: int, page_ms: int, refetch_ms: int) -> Page:
    """The page that the findings make.

    `now_ms` is the time of the answer. Silence that nothing confirms is provisional as
    `asked_again_from_ms` says; candles, if they closed less than `refetch_ms` before.
    """
    heard = found.heard
    done = Interval(ask.wanted.start_ms, max(found.end_ms, ask.wanted.start_ms))
    times = heard.candles["open_time_ms"]
    candles = heard.candles
    if times.len() and times[-1] >= found.end_ms:
        candles = candles.slice(0, bisect_left(times, found.end_ms))
    reasons = dict(found.reasons)
    if found.is_muddled:
        length_ms = ask.timeframe.duration_ms
        answered = lengths_of(candles["open_time_ms"], length_ms)
        rejected = IntervalSet((done,)) - answered
    else:
        shown = EMPTY
        if heard.first_ms is not None and heard.last_ms is not None:
            last_end_ms = heard.last_ms + ask.timeframe.duration_ms
            shown = IntervalSet.of(heard.first_ms, min(last_end_ms, found.end_ms))
        answered = (shown | found.silence) - heard.rejected
        rejected = heard.rejected & IntervalSet((done,))
    if rejected:
        reasons[GapReason.REJECTED] = rejected | reasons.get(GapReason.REJECTED, EMPTY)
    return Page(
        done=done,
        candles=candles,
        answered=answered,
        provisional=_provisional(answered, found.unconfirmed, ask, now_ms, page_ms, refetch_ms),
        reasons={reason: intervals for reason, intervals in reasons.items() if intervals},
        failure=found.failure,
    )


def lengths_of(open_times: pl.Series, length_ms: int) -> IntervalSet:
    """The intervals that candles of these open times fill."""
    return IntervalSet((time, time + length_ms) for time in open_times.to_list())


def _provisional(
    answered: IntervalSet,
    unconfirmed: IntervalSet,
    ask: PageAsk,
    now_ms: int,
    page_ms: int,
    refetch_ms: int,
) -> IntervalSet:
    timeframe = ask.timeframe
    provisional = EMPTY
    if refetch_ms > 0:
        # The first candle whose close is later than `now_ms - refetch_ms`.
        fresh_ms = timeframe.floor_ms(now_ms - refetch_ms)
        provisional = answered & IntervalSet.of(fresh_ms, max(fresh_ms, ask.wanted.end_ms))
    if unconfirmed:
        recent_ms = asked_again_from_ms(timeframe, now_ms, page_ms)
        recent = IntervalSet.of(recent_ms, max(recent_ms, ask.wanted.end_ms))
        provisional = provisional | (unconfirmed & answered & recent)
    return provisional
