"""Reads an interval of one market page by page, and has every silence proven (rule C2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    RunEndedError,
)
from candle_ingestor.ingest.sources.base import Known, Page, failed_page
from candle_ingestor.ingest.sources.heard import Heard, PageAsk, joined
from candle_ingestor.ingest.sources.hearing import Hearing
from candle_ingestor.ingest.sources.judge import (
    MOST_ASKS,
    MOST_ASKS_OF_HEAD,
    SAME_ANSWERS_NEEDED,
    SAME_HEADS_NEEDED,
    Doubt,
    Findings,
    asked_again_from_ms,
    doubt_of,
    is_muddled,
    needs_no_proof,
    page_of,
    reach_start_ms,
    silent_tail,
    vouched_end_ms,
)
from candle_ingestor.ingest.sources.silence import SilenceJudge, Verdict
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet


@dataclass(frozen=True)
class PageRules:
    """How long a candle waits until it is believed, and until it is final (rules T1 and T2)."""

    settle_seconds: float
    refetch_last_candles: int


class Pager:
    """Pages through one interval of one series."""

    def __init__(self, hearing: Hearing, known: Known, rules: PageRules) -> None:
        self._hearing = hearing
        self._known = known
        self._rules = rules
        self._silence = SilenceJudge(hearing, known)
        self._timeframe = hearing.series.timeframe
        self._page_ms = hearing.habits.page_candles * self._timeframe.duration_ms

    async def pages(self, interval: Interval) -> AsyncGenerator[Page]:
        """As CandleSource.pages. What the run left undone has no page."""
        next_ms = interval.start_ms
        overlap_ms = self._known.last_open_ms
        while next_ms < interval.end_ms and not self._hearing.is_to_stop():
            wanted = Interval(next_ms, interval.end_ms)
            page = self._without_asking(wanted)
            if page is None:
                ask = self._ask(wanted, overlap_ms)
                try:
                    page = await self._page(ask)
                except RunEndedError:
                    return
                except ExchangeRefusedError as error:
                    page = failed_page(self._hearing.series, wanted, error)
                except ExchangeError as error:
                    page = failed_page(self._hearing.series, Interval(next_ms, ask.end_ms), error)
            candles = page.candles
            if not candles.is_empty():
                overlap_ms = int(candles["open_time_ms"][-1])
            elif page.failure is not None:
                overlap_ms = None
            next_ms = page.done.end_ms
            if page.done.duration_ms > 0:
                yield replace(page, listing=self._hearing.memory.take_listing_news())

    def _without_asking(self, wanted: Interval) -> Page | None:
        """The page of time that is known to be out of reach, or before the listing."""
        reach_ms = self._reach_start_ms() or 0
        for reason, until_ms in (
            (GapReason.NOT_LISTED_YET, self._hearing.memory.unlisted_until_ms),
            (GapReason.BEYOND_REACH, reach_ms),
        ):
            if until_ms > wanted.start_ms:
                done = Interval(wanted.start_ms, min(until_ms, wanted.end_ms))
                return Page(
                    done,
                    no_candles(self._hearing.series),
                    EMPTY,
                    reasons={reason: IntervalSet((done,))},
                )
        return None

    def _reach_start_ms(self, heard: Heard | None = None) -> int | None:
        reach_candles = self._hearing.habits.reach_in(self._timeframe)
        return reach_start_ms(reach_candles, self._timeframe, self._hearing.now_ms(), heard)

    def _ask(self, wanted: Interval, overlap_ms: int | None) -> PageAsk:
        limit = self._hearing.memory.page_candles
        half_a_page_ms = limit // 2 * self._timeframe.duration_ms
        reach_ms = self._reach_start_ms()
        is_useful = (
            overlap_ms is not None
            and wanted.start_ms - half_a_page_ms <= overlap_ms < wanted.start_ms
            and (reach_ms is None or overlap_ms >= reach_ms)
        )
        if not is_useful or overlap_ms is None:
            return PageAsk(wanted.start_ms, limit, wanted, None, self._timeframe)
        return PageAsk(overlap_ms, limit, wanted, overlap_ms, self._timeframe)

    async def _page(self, ask: PageAsk) -> Page:
        # What is proven by further requests, which may take long, was read by the first.
        read_ms = self._hearing.now_ms()
        found = await self._findings(ask)
        if found.heard.rejected_rows:
            self._hearing.report_rejected(found.heard)
        length_ms = self._timeframe.duration_ms
        return page_of(
            ask,
            found,
            read_ms,
            self._page_ms,
            self._rules.refetch_last_candles * length_ms,
        )

    async def _findings(self, ask: PageAsk) -> Findings:
        doubt: Doubt | None = None
        times_heard = 0
        for _ in range(MOST_ASKS):
            heard = await self._hearing.hear(ask.start_ms, ask.limit, ask.wanted.end_ms)
            if is_muddled(ask, heard):
                return _muddled(ask, heard)
            last_doubt, doubt = doubt, doubt_of(ask, heard)
            if doubt is None:
                return await self._after_rows(ask, heard)
            times_heard = times_heard + 1 if doubt is last_doubt else 1
            if doubt is Doubt.EMPTY and times_heard == 1:
                unlisted = await self._unlisted(ask, heard)
                if unlisted is not None:
                    return unlisted
            if self._is_heard_enough(ask, heard, doubt, times_heard):
                return await self._after_silence(ask, heard, doubt)
        assert doubt is not None
        if doubt is Doubt.EMPTY_BUT_HAD_CANDLE and times_heard == MOST_ASKS:
            verdict = await self._silence.out_of_reach(Interval(ask.wanted.start_ms, ask.end_ms))
            if verdict is not None:
                return Findings(heard, ask.end_ms, reasons=verdict.reasons)
        raise MalformedAnswerError(
            f"{self._hearing.series}: asked {MOST_ASKS} times, and the last answer {doubt.value}"
        )

    def _is_heard_enough(self, ask: PageAsk, heard: Heard, doubt: Doubt, times_heard: int) -> bool:
        needed = SAME_ANSWERS_NEEDED[doubt]
        if needed is None:
            return False
        return times_heard >= needed or self._needs_no_proof(ask, heard)

    async def _unlisted(self, ask: PageAsk, heard: Heard) -> Findings | None:
        silence = Interval(ask.start_ms, ask.end_ms)
        verdict = await self._silence.unlisted(silence)
        if verdict is None:
            return None
        end_ms = verdict.believed.start_ms if verdict.believed else ask.end_ms
        return Findings(heard, end_ms, reasons=verdict.reasons)

    async def _after_silence(self, ask: PageAsk, heard: Heard, doubt: Doubt) -> Findings:
        """The findings of a whole page that showed nothing new."""
        start_ms = ask.start_ms if heard.last_ms is None else ask.wanted.start_ms
        silence = Interval(start_ms, ask.end_ms)
        beyond = EMPTY
        verdict = Verdict(IntervalSet((silence,)))
        if doubt is Doubt.EMPTY:
            beyond, silence = self._cut_to_reach(silence, heard)
            verdict = Verdict()
            if silence.duration_ms:
                verdict = await self._silence.of_empty(silence)
        tail = IntervalSet((silence,)) & verdict.believed
        return Findings(heard, ask.end_ms, tail, tail, _with_beyond_reach(verdict.reasons, beyond))

    async def _after_rows(self, ask: PageAsk, heard: Heard) -> Findings:
        """The findings of an answer that showed something new."""
        silence = EMPTY
        reasons: Mapping[GapReason, IntervalSet] = {}
        failure: ExchangeError | None = None
        first_ms = heard.first_ms
        if first_ms is not None and first_ms > ask.start_ms:
            try:
                heard, verdict = await self._head(ask, heard)
                silence, reasons = verdict.believed, verdict.reasons
            except ExchangeError as error:
                head = Interval(ask.wanted.start_ms, min(first_ms, ask.wanted.end_ms))
                failure = error
                reasons = {GapReason.FETCH_FAILED: IntervalSet((head,))}
        tail = silent_tail(ask, heard)
        end_ms = vouched_end_ms(ask, heard)
        if tail.duration_ms == 0 or not self._needs_no_proof(ask, heard):
            return Findings(heard, end_ms, silence, EMPTY, reasons, failure)
        tail_set = IntervalSet((tail,))
        return Findings(heard, tail.end_ms, silence | tail_set, tail_set, reasons, failure)

    async def _head(self, ask: PageAsk, heard: Heard) -> tuple[Heard, Verdict]:
        """The answer with what was cut off its head, and what the silence before it means."""
        heard, is_clear = await self._with_head(ask, heard)
        assert heard.first_ms is not None
        head_end_ms = min(heard.first_ms, ask.wanted.end_ms)
        beyond, silence = self._cut_to_reach(Interval(ask.start_ms, head_end_ms), heard)
        within_wanted = IntervalSet((ask.wanted,))
        if not is_clear:
            return heard, Verdict(EMPTY, {GapReason.REJECTED: IntervalSet((silence,))})
        is_after_candle = silence.start_ms == ask.overlap_ms
        verdict = await self._silence.of_head(silence, is_after_candle=is_after_candle)
        reasons = _with_beyond_reach(verdict.reasons, beyond)
        return heard, Verdict(
            verdict.believed,
            {reason: intervals & within_wanted for reason, intervals in reasons.items()},
        )

    async def _with_head(self, ask: PageAsk, heard: Heard) -> tuple[Heard, bool]:
        """Asks for the silent head on its own until nothing comes before the first row.

        Also tells whether the head is free of rows that may stand for any minute.
        """
        length_ms = self._timeframe.duration_ms
        times_heard = 0
        for _ in range(MOST_ASKS_OF_HEAD):
            first_ms = heard.first_ms
            assert first_ms is not None
            if first_ms == ask.start_ms:
                return heard, True
            limit = min(ask.limit, (first_ms - ask.start_ms) // length_ms + 1)
            again = await self._hearing.hear(ask.start_ms, limit, first_ms)
            if again.has_unplaceable:
                return heard, False
            if again.first_ms == first_ms:
                times_heard += 1
                if times_heard >= SAME_HEADS_NEEDED:
                    return heard, True
                continue
            times_heard = 0
            if again.first_ms is None or again.first_ms > first_ms:
                continue
            self._hearing.memory.note_cut(heard.row_count)
            if again.row_count == heard.row_count:
                self._hearing.memory.note_cut(again.row_count)
            heard = joined(again, heard) if again.shows(first_ms) else again
        raise MalformedAnswerError(
            f"{self._hearing.series}: the time before the first candle of an answer was asked for "
            f"{MOST_ASKS_OF_HEAD} times, and another first candle came each time"
        )

    def _cut_to_reach(self, silence: Interval, heard: Heard) -> tuple[IntervalSet, Interval]:
        """What lies beyond reach of the silence, and the rest of it."""
        reach_ms = self._reach_start_ms(heard)
        start_ms = silence.start_ms
        if reach_ms is not None:
            start_ms = min(max(start_ms, reach_ms), silence.end_ms)
        beyond = IntervalSet.of(silence.start_ms, start_ms)
        return beyond, Interval(start_ms, silence.end_ms)

    def _needs_no_proof(self, ask: PageAsk, heard: Heard) -> bool:
        now_ms = self._hearing.now_ms()
        closed_end_ms = self._timeframe.closed_end_ms(now_ms, self._rules.settle_seconds)
        again_ms = asked_again_from_ms(self._timeframe, now_ms, self._page_ms)
        tail = silent_tail(ask, heard)
        return needs_no_proof(tail, ask, self._known.provisional, closed_end_ms, again_ms)


def _muddled(ask: PageAsk, heard: Heard) -> Findings:
    end_ms = vouched_end_ms(ask, heard)
    if heard.candles.is_empty() or end_ms == ask.wanted.start_ms:
        end_ms = ask.end_ms
    return Findings(heard, end_ms, is_muddled=True)


def _with_beyond_reach(
    reasons: Mapping[GapReason, IntervalSet], beyond: IntervalSet
) -> dict[GapReason, IntervalSet]:
    if not beyond:
        return dict(reasons)
    found = reasons.get(GapReason.BEYOND_REACH, EMPTY)
    return {**reasons, GapReason.BEYOND_REACH: found | beyond}
