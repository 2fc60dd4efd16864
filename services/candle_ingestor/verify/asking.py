"""Asks exchanges for candles again, and compares the answers with what is stored."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.errors import words_without
from candle_ingestor.ingest.fetching import REQUESTS_AT_ONCE, some_at_once
from candle_ingestor.ingest.sources.base import CandleSource, Known, Page, SourceCounts
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.operations.progress import Progress
from candle_ingestor.verify.comparing import candle_differences
from candle_ingestor.verify.drawing import requests_of
from candle_ingestor.verify.findings import Check, Difference, Findings, minutes_of

log = logging.getLogger(__name__)

_PAGES_PER_REQUEST_ROW = 16


@dataclass
class SeriesChecked:
    """How far one exchange's series was compared, in candle lengths.

    Attributes:
        known: what is covered of it, where it was looked at.
        provisional: what of that the next run reads again, and so is not compared.
        beyond_reach: what of the rest the exchange's candle endpoint no longer answers.
        chosen: what was to be compared.
        unanswered: what of that no believable answer came for, by reason.
        not_askable: why nothing could be asked; empty where it could.
    """

    series: Series
    known: int = 0
    provisional: int = 0
    beyond_reach: int = 0
    chosen: int = 0
    compared: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    not_askable: str = ""


@dataclass
class ExchangeChecked:
    """What asking one exchange came to. `error` is why it could not be asked, or left pages."""

    exchange: str
    requests: int = 0
    error: str | None = None


def askable(
    ledger: Ledger, series: Series, span: IntervalSet, source: CandleSource, checked: SeriesChecked
) -> IntervalSet:
    """What of a span can be compared; what cannot is noted."""
    record = ledger.record(series)
    known = record.covered & span
    final = known - record.provisional
    reach_ms = source.reach_start_ms(series.timeframe)
    beyond = EMPTY if reach_ms is None else final & IntervalSet.of(0, reach_ms)
    checked.known = _candles(series, known)
    checked.provisional = _candles(series, known & record.provisional)
    checked.beyond_reach = _candles(series, beyond)
    return final - beyond


@dataclass
class ExchangeCheck:
    """Compares series with what their exchanges answer now.

    `fresh` reads the records anew, where another run may write meanwhile; with `repairs` nobody
    does, and what differs is replaced by what was answered.
    """

    ledger: Ledger
    fresh: Callable[[], Ledger]
    findings: Findings
    progress: Progress
    is_to_stop: Callable[[], bool]
    repairs: bool
    repaired: set[Series] = field(default_factory=set)
    candles_changed: int = 0

    async def compare(
        self,
        chosen: Mapping[Series, IntervalSet],
        sources: Mapping[str, CandleSource],
        by_series: Mapping[Series, SeriesChecked],
        by_exchange: Mapping[str, ExchangeChecked],
    ) -> None:
        """Asks for all that is chosen, every exchange at its own pace.

        Raises:
            StoreError: if the store fails.
        """
        expected = Counter[str]()
        lanes: dict[str, list[tuple[Series, Interval]]] = {}
        for series, span in chosen.items():
            source = sources[series.exchange]
            page_ms = max(source.page_candles - 1, 1) * series.timeframe.duration_ms
            whole = max((each.duration_ms for each in span), default=0) > page_ms
            longest_ms = page_ms * (_PAGES_PER_REQUEST_ROW if whole else 1)
            by_series[series].chosen = _candles(series, span)
            expected[series.exchange] += by_series[series].chosen
            lanes.setdefault(series.exchange, []).extend(
                (series, interval) for interval in requests_of(span, longest_ms)
            )
        self.progress.begin("Asking the exchanges again", +expected)

        async def one(task: tuple[Series, Interval]) -> None:
            series, interval = task
            if self.is_to_stop():
                return
            exchange = by_exchange[series.exchange]
            try:
                await self._compare_one(
                    series,
                    interval,
                    chosen[series],
                    sources[series.exchange],
                    by_series[series],
                    exchange,
                )
            except DependencyError:
                raise
            except Exception as error:
                log.exception("%s: an unforeseen failure; the other series go on", series)
                exchange.error = f"an unforeseen failure: {error!r}; the log tells where"

        async with asyncio.TaskGroup() as group:
            for tasks in lanes.values():
                group.create_task(some_at_once(tasks, one, REQUESTS_AT_ONCE))

    async def _compare_one(
        self,
        series: Series,
        interval: Interval,
        chosen: IntervalSet,
        source: CandleSource,
        checked: SeriesChecked,
        exchange: ExchangeChecked,
    ) -> None:
        record = self.ledger.record(series)
        known = Known(None, EMPTY, record.listing, bool(record.covered))
        counts = SourceCounts()
        begin = Interval(self._beginning_ms(series, interval, source), interval.end_ms)
        pages = source.pages(series, begin, known, counts)
        async with aclosing(pages):
            async for page in pages:
                wanted = chosen & IntervalSet((page.done,)) & IntervalSet((interval,))
                self._take(series, wanted, page, checked)
                self.progress.advance(series.exchange, _candles(series, wanted))
                if page.failure is not None:
                    exchange.error = words_without(series.exchange, page.failure)
        exchange.requests += counts.requests

    def _beginning_ms(self, series: Series, interval: Interval, source: CandleSource) -> int:
        """A stored candle shortly before, if there is one: all after it is then answered at once.

        Silence before the first candle of an answer takes a request of its own.
        """
        length_ms = series.timeframe.duration_ms
        before_ms = self.ledger.last_open_ms(series, interval.start_ms + length_ms)
        reach_ms = source.reach_start_ms(series.timeframe) or 0
        nearest_ms = interval.start_ms - source.page_candles // 4 * length_ms
        if before_ms is None or before_ms < max(nearest_ms, reach_ms):
            return interval.start_ms
        return before_ms

    def _take(
        self, series: Series, wanted: IntervalSet, page: Page, checked: SeriesChecked
    ) -> None:
        answered = wanted & page.answered
        compared = answered - page.provisional
        unanswered = wanted - page.answered
        checked.compared += _candles(series, compared)
        checked.provisional += _candles(series, answered - compared)
        for reason, intervals in page.reasons.items():
            self._note(series, unanswered & intervals, reason.value, checked)
            unanswered = unanswered - intervals
        self._note(series, unanswered, GapReason.NOT_FETCHED.value, checked)
        if not compared:
            return
        found = self._differences(self.ledger, series, compared, page)
        if found and not self.repairs:
            # Another run may have changed it since the records were read.
            ledger = self.fresh()
            record = ledger.record(series)
            still = minutes_of(found) & (record.covered - record.provisional)
            found = self._differences(ledger, series, still, page)
        for difference in found:
            self.findings.add(difference, is_repaired=self.repairs)
        if found and self.repairs:
            self._repair(series, minutes_of(found), page)

    def _note(
        self, series: Series, intervals: IntervalSet, reason: str, checked: SeriesChecked
    ) -> None:
        if intervals:
            checked.unanswered[reason] += _candles(series, intervals)

    def _differences(
        self, ledger: Ledger, series: Series, span: IntervalSet, page: Page
    ) -> list[Difference]:
        if not span:
            return []
        stored = ledger.candles_in(series, span)
        right = candles_within(page.candles, span)
        origins = ledger.record(series).coverage.origins
        return [
            _with_origin(each, origins)
            for each in candle_differences(Check.EXCHANGE, series, stored, right)
        ]

    def _repair(self, series: Series, minutes: IntervalSet, page: Page) -> None:
        candles = candles_within(page.candles, minutes)
        (kept,) = self.ledger.replace(
            [Replacement(series, minutes, candles, minutes, origin=page.origin)]
        )
        self.repaired.add(series)
        self.candles_changed += kept.new + kept.revised


def could_not_be_asked(
    exchanges: Iterable[ExchangeChecked], series: Iterable[SeriesChecked]
) -> bool:
    """Whether something that could be had from an exchange was not."""
    return any(each.error for each in exchanges) or any(
        each.unanswered[GapReason.FETCH_FAILED.value] for each in series
    )


def _with_origin(difference: Difference, origins: Mapping[Origin, IntervalSet]) -> Difference:
    interval = difference.interval
    for origin, intervals in origins.items():
        if interval is not None and intervals.contains(interval.start_ms):
            return replace(difference, origin=origin.value)
    return replace(difference, origin=Origin.ENDPOINT.value)


def _candles(series: Series, intervals: IntervalSet) -> int:
    return intervals.duration_ms // series.timeframe.duration_ms
