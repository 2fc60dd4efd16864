"""What silence that was heard often enough means: no trade, out of reach, or not listed yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.ingest.sources.base import Known
from candle_ingestor.ingest.sources.hearing import Hearing
from candle_ingestor.ingest.sources.judge import FEW_CANDLES, reach_start_ms
from candle_ingestor.ingest.sources.listing import DAY, first_day_ms, has_day_before
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.times import iso_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What silence means: where nothing was traded, and reasons of the rest."""

    believed: IntervalSet = EMPTY
    reasons: Mapping[GapReason, IntervalSet] = field(default_factory=dict)


@dataclass(frozen=True)
class SilenceJudge:
    """Finds out what silence of one series means. Each call may ask the exchange.

    They raise ExchangeError where it cannot be told, and RunEndedError.
    """

    hearing: Hearing
    known: Known

    async def of_head(self, silence: Interval, *, is_after_candle: bool) -> Verdict:
        """Of time before a candle that the exchange has just shown.

        `is_after_candle` says that it begins at a candle known before, which is gone.
        """
        if silence.duration_ms <= 0:
            return Verdict()
        if not self.hearing.habits.is_reach_known:
            if await self._shows_a_candle_before(silence.start_ms):
                return _no_trade(silence)
            return _beyond_reach(silence)
        if is_after_candle or self._knows_a_candle_before(silence.start_ms):
            return _no_trade(silence)
        return await self._by_listing(silence)

    async def of_empty(self, silence: Interval) -> Verdict:
        """Of time about which the exchange has shown nothing at all."""
        if not self.hearing.habits.is_reach_known:
            return await self._of_empty_undescribed(silence)
        verdict = _no_trade(silence)
        if not self._knows_a_candle_before(silence.start_ms):
            if not self._can_seek_listing():
                await self._require_any_row(silence)
            verdict = await self._by_listing(silence)
        if verdict.believed:
            await self._require_a_known_candle(silence)
        return verdict

    async def out_of_reach(self, silence: Interval) -> Verdict | None:
        """That silence after a known candle, which is gone as well, is out of reach.

        None of an exchange that is described, or that shows nothing recent either.
        """
        if self.hearing.habits.is_reach_known or not await self.hearing.shows_anything_recent():
            return None
        return _beyond_reach(silence)

    async def unlisted(self, silence: Interval) -> Verdict | None:
        """What the listing alone tells of time at whose start the market was not listed.

        None where it was, and where that does not matter or cannot be found out.
        """
        if self._knows_a_candle_before(silence.start_ms) or not self._can_seek_listing():
            return None
        verdict = await self._by_listing(silence)
        is_listed = verdict.believed and verdict.believed.start_ms == silence.start_ms
        is_told = bool(verdict.reasons.get(GapReason.NOT_LISTED_YET))
        return verdict if is_told and not is_listed else None

    async def _of_empty_undescribed(self, silence: Interval) -> Verdict:
        if await self._shows_a_candle_before(silence.start_ms):
            return _no_trade(silence)
        # An exchange that is silent about everything says nothing about its reach.
        if self._known_near(silence) is None:
            await self._require_any_row(silence)
            return _beyond_reach(silence)
        if await self.hearing.shows_anything_recent():
            return _beyond_reach(silence)
        raise MalformedAnswerError(
            f"{self.hearing.series}: an empty answer is not believed, since nothing that was "
            "traded lately is shown now either"
        )

    def _knows_a_candle_before(self, time_ms: int) -> bool:
        return self._last_known_before(time_ms) is not None

    def _last_known_before(self, time_ms: int) -> int | None:
        shown_ms = self.hearing.memory.shown_before(time_ms)
        stored_ms = self.known.last_open_ms
        candidates = [t for t in (shown_ms, stored_ms) if t is not None and t < time_ms]
        return max(candidates, default=None)

    def _known_near(self, silence: Interval) -> int | None:
        before_ms = self._last_known_before(silence.start_ms)
        after_ms = self.hearing.memory.shown_from(silence.end_ms)
        if before_ms is None or after_ms is None:
            return after_ms if before_ms is None else before_ms
        is_after_nearer = after_ms - silence.end_ms < silence.start_ms - before_ms
        return after_ms if is_after_nearer else before_ms

    async def _shows_a_candle_before(self, time_ms: int) -> bool:
        before_ms = self._last_known_before(time_ms)
        return before_ms is not None and await self.hearing.shows_now(before_ms)

    async def _require_a_known_candle(self, silence: Interval) -> None:
        """Whoever is silent about everything, as in a maintenance, is not believed."""
        near_ms = self._known_near(silence)
        if near_ms is None:
            await self._require_any_row(silence)
            return
        hearing = self.hearing
        timeframe = hearing.series.timeframe
        reach_ms = reach_start_ms(hearing.habits.reach_in(timeframe), timeframe, hearing.now_ms())
        if reach_ms is not None and near_ms < reach_ms:
            return
        if not await hearing.shows_now(near_ms):
            raise MalformedAnswerError(
                f"{hearing.series}: an empty answer is not believed, since the candle of "
                f"{iso_text(near_ms)} is not shown now either"
            )

    async def _require_any_row(self, silence: Interval) -> None:
        """Whoever showed nothing of any market, as in a maintenance, is not believed."""
        hearing = self.hearing
        if not await hearing.is_alive():
            raise MalformedAnswerError(
                f"{self.hearing.series}: an empty answer for {iso_text(silence.start_ms)} on is "
                "not believed, since the exchange has shown no candle of any market in this run"
            )

    def _can_seek_listing(self) -> bool:
        habits = self.hearing.habits
        if not habits.is_reach_known or not self._offers_days():
            return False
        return habits.is_never_silent or self._days_begin_ms() is None

    def _days_begin_ms(self) -> int | None:
        """Where the reach of daily candles begins; None where it goes back to the opening."""
        habits = self.hearing.habits
        begin_ms = reach_start_ms(habits.reach_in(DAY), DAY, self.hearing.now_ms())
        return None if begin_ms is None or begin_ms <= habits.opened_ms else begin_ms

    def _offers_days(self) -> bool:
        return str(DAY) in self.hearing.timeframes

    async def _by_listing(self, silence: Interval) -> Verdict:
        """Of silence within the reach of an exchange that is described."""
        if not self._can_seek_listing():
            return await self._by_days_before(silence)
        listing = await self._listing(silence)
        if listing.first_day_ms is None and listing.silent_until_ms is None:
            return await self._by_days_before(silence)
        whole = IntervalSet((silence,))
        if listing.first_day_ms is not None:
            unlisted = whole & IntervalSet.of(0, listing.first_day_ms)
            return Verdict(whole - unlisted, {GapReason.NOT_LISTED_YET: unlisted})
        unlisted = whole & IntervalSet.of(0, listing.silent_until_ms or 0)
        return Verdict(EMPTY, {GapReason.NOT_LISTED_YET: unlisted})

    async def _by_days_before(self, silence: Interval) -> Verdict:
        """Of silence of which no listing tells."""
        if self._offers_days() and await self._was_traded_before(silence.start_ms):
            return _no_trade(silence)
        log.info(
            "%s: shows nothing from %s to %s, and it cannot be told whether it was listed "
            "then; the next run asks again, as long as the exchange reaches back to it",
            self.hearing.series,
            iso_text(silence.start_ms),
            iso_text(silence.end_ms),
        )
        return _not_fetched(silence)

    async def _was_traded_before(self, time_ms: int) -> bool:
        """Whether a daily candle of a day that was over by then is shown, or was once."""
        hearing, memory = self.hearing, self.hearing.memory
        listed_by_ms = memory.listing.listed_by_ms
        if listed_by_ms is not None and listed_by_ms <= time_ms:
            return True
        if not await has_day_before(hearing.daily_rows, time_ms, hearing.habits.page_candles):
            return False
        memory.learn_listing(replace(memory.listing, listed_by_ms=time_ms))
        return True

    async def _listing(self, silence: Interval) -> Listing:
        memory = self.hearing.memory
        async with memory.listing_lock:
            is_found = memory.listing.first_day_ms is not None
            if not is_found and silence.end_ms > memory.unlisted_until_ms:
                sought = await self._sought(memory.listing)
                if sought != memory.listing:
                    memory.learn_listing(sought)
            return memory.listing

    async def _sought(self, listing: Listing) -> Listing:
        hearing = self.hearing
        now_ms = hearing.now_ms()
        habits = hearing.habits
        begin_ms = self._days_begin_ms()
        if begin_ms is not None:
            return await self._sought_within_reach(listing, begin_ms, now_ms)
        from_ms = habits.opened_ms
        if hearing.memory.unlisted_until_ms:
            # A feed may have stood still over the first candle, and filled it in since.
            back_ms = habits.page_candles // 2 * DAY.duration_ms
            from_ms = max(from_ms, hearing.memory.unlisted_until_ms - back_ms)
        found_ms = await self._first_day_ms(from_ms, now_ms)
        if found_ms == DAY.floor_ms(from_ms) and from_ms > habits.opened_ms:
            found_ms = await self._first_day_ms(habits.opened_ms, now_ms)
        none_before_ms = DAY.floor_ms(now_ms) if found_ms is None else found_ms
        shown_ms = hearing.memory.shown_from(0)
        if shown_ms is not None and shown_ms < none_before_ms:
            raise MalformedAnswerError(
                f"{hearing.series}: it cannot be told when it was listed, since its daily candles "
                f"do not show the day of the candle of {iso_text(shown_ms)}"
            )
        if found_ms is None:
            if hearing.memory.has_candles or not await hearing.is_alive():
                # Whoever is silent about everything, as in a maintenance, is not believed.
                raise MalformedAnswerError(
                    f"{hearing.series}: it cannot be told when it was listed, since the exchange "
                    "shows no daily candle of it, and nothing else now"
                )
            return replace(listing, silent_until_ms=none_before_ms)
        return replace(listing, first_day_ms=found_ms)

    async def _sought_within_reach(self, listing: Listing, begin_ms: int, now_ms: int) -> Listing:
        """What the days within reach tell of an exchange that is never silent.

        It would show a market that was listed before: a first day well after the beginning of its
        reach is the first of all.
        """
        found_ms = await self._first_day_ms(begin_ms, now_ms)
        shown_ms = self.hearing.memory.shown_from(0)
        if found_ms is None or found_ms <= begin_ms + FEW_CANDLES * DAY.duration_ms:
            return listing
        is_first = shown_ms is None or found_ms <= shown_ms
        return replace(listing, first_day_ms=found_ms) if is_first else listing

    async def _first_day_ms(self, from_ms: int, now_ms: int) -> int | None:
        hearing = self.hearing
        page_candles = hearing.habits.days_per_request or hearing.habits.page_candles
        return await first_day_ms(
            hearing.daily_rows, from_ms, now_ms, page_candles, str(hearing.series)
        )


def _no_trade(silence: Interval) -> Verdict:
    return Verdict(IntervalSet((silence,)))


def _beyond_reach(silence: Interval) -> Verdict:
    return Verdict(EMPTY, {GapReason.BEYOND_REACH: IntervalSet((silence,))})


def _not_fetched(silence: Interval) -> Verdict:
    return Verdict(EMPTY, {GapReason.NOT_FETCHED: IntervalSet((silence,))})
