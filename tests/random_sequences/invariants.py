"""What must hold of the store after every step, against the markets' truth (rules C1, C2, M2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from content import Row, StoreContent, times_within
from exact import merged_candle
from market import DAY_MS, Market
from sequence import Step
from world import World

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet, covered_at_least
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol

_MOST_SHOWN = 5
_REACH_MARGIN_CANDLES = 4


def store_violations(world: World, content: StoreContent) -> Iterator[str]:
    """What is wrong with the store, however the last step ended."""
    closed_ms = world.closed_end_ms
    for series in content.series:
        record = content.record(series)
        if record.covered and record.covered.end_ms > closed_ms:
            yield f"{series}: covers {_text(record.covered.end_ms)}, which is not closed yet"
        counted = Counter(map(Month.of, content.within(series, record.countable)))
        stale = record.merging.stale if record.merging else EMPTY
        doubtful = {*record.counts.unknown, *months_of(stale)}
        known = {m: n for m, n in counted.items() if m not in doubtful}
        told = {m: n for m, n in record.counts.by_month.items() if m not in doubtful}
        if told != known:
            yield f"{series}: counts {told}, and {known} are stored"
        if record.provisional - record.covered:
            yield f"{series}: provisional outside coverage: {record.provisional - record.covered}"
        for reason, intervals in record.coverage.reasons.items():
            if intervals & record.covered:
                yield f"{series}: {reason} inside coverage"
        if series.is_merged:
            yield from _merged_violations(content, series)
        else:
            market = world.sequence.markets[series.exchange, str(series.symbol)]
            kind = world.sequence.kinds[series.exchange]
            if kind.has_odd_days and market.length_ms == DAY_MS:
                yield from _odd_day_violations(content, series, market)
            else:
                yield from _truth_violations(content, series, market, closed_ms)
            yield from _reason_violations(world, record, series, market)


def carried_through_violations(
    world: World, content: StoreContent, step: Step, dropped: Collection[str]
) -> Iterator[str]:
    """What is wrong with the merged series of a run or merge that was carried through.

    `dropped` are the symbols that it did not work on.
    """
    for symbol in step.symbols:
        if symbol in dropped:
            continue
        merged = Series.merged(Symbol.parse(symbol), world.timeframe)
        record = content.records.get(merged)
        if record is None or record.merging is None:
            continue
        stored = {s.exchange for s in content.records if s.symbol == merged.symbol}
        if step.command == "merge" and not stored & set(step.exchanges):
            continue
        rules = record.merging.basis.rules
        made_by = (rules.min_exchanges, rules.exchanges, rules.high_low.value)
        if made_by != (step.minimum, step.exchanges, step.high_low):
            yield f"{merged}: is made by {made_by} after {step}"
        sources = [content.record(source).covered for source in record.merging.basis.sources]
        formerly = record.merging.formerly_made
        formerly = formerly | IntervalSet.of(0, record.pruned_until_ms or 0)
        can_be_known = covered_at_least(sources, rules.min_exchanges) - formerly
        if record.covered - formerly != can_be_known:
            yield (
                f"{merged}: covers {spans(record.covered - formerly - can_be_known)} too much "
                f"and lacks {spans(can_be_known - record.covered)}"
            )
        stale = content.candles.get(merged, {}).keys() - content.within(merged, record.covered)
        if stale and (step.is_last or step.command == "merge"):
            yield f"{merged}: rows outside coverage remain: {_times(stale)}"


def end_violations(
    world: World, content: StoreContent, step: Step, dropped: Collection[str]
) -> Iterator[str]:
    """What is still missing after the runs in which nothing went wrong."""
    merged = (Series.merged(Symbol.parse(s), world.timeframe) for s in step.symbols)
    worked_on = {
        source
        for each in merged
        if str(each.symbol) not in dropped
        for source in _sources(content.record(each))
    }
    closed_ms = world.closed_end_ms
    start_ms = int(datetime.fromisoformat(f"{step.start}T00:00:00Z").timestamp()) * 1000
    wanted = IntervalSet.of(start_ms, closed_ms)
    for (exchange, symbol), market in world.sequence.markets.items():
        series = Series(exchange, Symbol.parse(symbol), world.timeframe)
        if series not in worked_on:
            continue
        record = content.record(series)
        kind = world.sequence.kinds[exchange]
        missing = wanted - record.covered - IntervalSet.of(0, record.pruned_until_ms or 0)
        for reason in (GapReason.BEYOND_REACH, GapReason.NOT_LISTED_YET):
            missing = missing - reason_intervals(record, reason)
        if kind.has_odd_days and market.length_ms == DAY_MS:
            missing = missing - reason_intervals(record, GapReason.REJECTED)
            # The row in progress is no candle, and another one each time.
            missing = missing - reason_intervals(record, GapReason.FETCH_FAILED)
        if kind.is_reach_described and kind.reach_candles is not None:
            missing = missing - _open_head(record, market)
        reaches_all = kind.is_reach_described and kind.reach_candles is None
        if not reaches_all and not _shows_anything(world, series, market):
            # Its silence may as well be a maintenance, for which it is asked again.
            missing = missing - reason_intervals(record, GapReason.FETCH_FAILED)
        if missing:
            reasons = {r.value: spans(i & missing) for r, i in record.coverage.reasons.items()}
            yield f"{series}: {spans(missing)} is not known at the end: {reasons}"
        beyond = reason_intervals(record, GapReason.BEYOND_REACH)
        # A provisional candle may be one that the exchange has taken back since.
        known = content.within(series, record.covered - record.provisional)
        after_known = beyond & IntervalSet.of(min(known, default=1 << 60), 1 << 60)
        if kind.reach_candles is None and (
            after_known or times_within(list(market.finals), beyond)
        ):
            yield f"{series}: {spans(beyond)} is beyond a reach that has no end"


def _truth_violations(
    content: StoreContent, series: Series, market: Market, closed_ms: int
) -> Iterator[str]:
    record = content.record(series)
    final = record.covered - record.provisional
    stored = content.within(series, final)
    true_times = times_within(list(market.finals), final)
    wrong = [
        open_ms
        for open_ms in sorted(stored.keys() | set(true_times))
        if stored.get(open_ms) != market.finals.get(open_ms)
        and stored.get(open_ms) not in market.possible(open_ms)
    ]
    if wrong:
        shown = [(_text(o), stored.get(o), market.finals.get(o)) for o in wrong[:_MOST_SHOWN]]
        yield f"{series}: {len(wrong)} final minutes are not as in truth (stored, true): {shown}"
    never = [
        open_ms
        for open_ms, row in content.candles.get(series, {}).items()
        if row != market.finals.get(open_ms) and row not in market.ever_shown(open_ms)
    ]
    if never:
        yield f"{series}: stored and never shown so: {_times(never)}"
    early = [o for o in content.candles.get(series, {}) if o >= closed_ms]
    if early:
        yield f"{series}: stored before they closed and settled: {_times(early)}"


def _odd_day_violations(content: StoreContent, series: Series, market: Market) -> Iterator[str]:
    """Rows that open off the grid are no candles, and the days they open in are not silent."""
    record = content.record(series)
    final = record.covered - record.provisional
    opened_in = times_within([o - DAY_MS for o in market.finals], final)
    if opened_in:
        yield f"{series}: covers days with rows off the grid: {_times(opened_in)}"
    stored = content.candles.get(series, {})
    if stored:
        yield f"{series}: stored, and never shown on the grid: {_times(stored)}"


def _sources(record: SeriesRecord) -> tuple[Series, ...]:
    return record.merging.basis.sources if record.merging is not None else ()


def _open_head(record: SeriesRecord, market: Market) -> IntervalSet:
    """Silence before all that is known, of which a short reach does not tell what it means."""
    head = reason_intervals(record, GapReason.NOT_FETCHED)
    if record.covered:
        head = head & IntervalSet.of(0, record.covered.start_ms)
    return EMPTY if times_within(list(market.finals), head) else head


def _shows_anything(world: World, series: Series, market: Market) -> bool:
    exchange = world.exchanges[series.exchange]
    at_ms = world.clock.now_ms() + exchange.kind.skew_ms
    page_ms = exchange.kind.page_candles * market.length_ms
    start_ms = max(exchange.shown_from_ms(market.length_ms), at_ms - page_ms)
    return bool(market.shown(start_ms, at_ms - market.length_ms, at_ms))


def _reason_violations(
    world: World, record: SeriesRecord, series: Series, market: Market
) -> Iterator[str]:
    unlisted = reason_intervals(record, GapReason.NOT_LISTED_YET)
    if unlisted & IntervalSet.of(market.first_open_ms, 1 << 60):
        first = _text(market.first_open_ms)
        yield f"{series}: {spans(unlisted)} is not listed yet, and the first candle is of {first}"
    kind = world.sequence.kinds[series.exchange]
    beyond = reason_intervals(record, GapReason.BEYOND_REACH)
    if not beyond or not kind.is_reach_described:
        return
    if kind.reach_candles is None:
        yield f"{series}: {spans(beyond)} is beyond a reach that has no end"
        return
    # What is silent at the edge of the reach cannot be told from what is beyond.
    margin_ms = _REACH_MARGIN_CANDLES * market.length_ms
    shown_from_ms = world.exchanges[series.exchange].shown_from_ms(market.length_ms)
    within = beyond & IntervalSet.of(shown_from_ms + margin_ms, 1 << 60)
    if times_within(list(market.finals), within):
        yield f"{series}: {spans(within)} is beyond reach, which begins {_text(shown_from_ms)}"


def _merged_violations(content: StoreContent, merged: Series) -> Iterator[str]:
    record = content.record(merged)
    if record.merging is None:
        if record.covered:
            yield f"{merged}: covers {spans(record.covered)} without saying what it is made by"
        return
    for basis, intervals in record.merging.parts(record.covered):
        covered = {source: content.record(source).covered for source in basis.sources}
        enough = covered_at_least(covered.values(), basis.rules.min_exchanges)
        if intervals - enough:
            yield (
                f"{merged}: {spans(intervals - enough)} is covered by fewer than "
                f"{basis.rules.min_exchanges} of {[s.exchange for s in basis.sources]}"
            )
        expected = _expected(content, basis.sources, covered, intervals & enough, basis.rules)
        stored = content.within(merged, intervals & enough)
        wrong = [
            open_ms
            for open_ms in sorted(stored.keys() | expected.keys())
            if not _are_same(stored.get(open_ms), expected.get(open_ms))
        ]
        if wrong:
            shown = [(_text(o), stored.get(o), expected.get(o)) for o in wrong[:_MOST_SHOWN]]
            yield f"{merged}: {len(wrong)} minutes merged wrongly (stored, exact): {shown}"


def _are_same(stored: Row | None, exact: Row | None) -> bool:
    """Whether a stored merged candle is the exact one; its prices may be two floats off."""
    if stored is None or exact is None or stored == exact:
        return stored == exact
    prices = zip(stored[1:5], exact[1:5], strict=True)
    return (stored[0], *stored[5:]) == (exact[0], *exact[5:]) and all(
        abs(found - wanted) <= 2 * math.ulp(wanted) for found, wanted in prices
    )


def _expected(
    content: StoreContent,
    sources: tuple[Series, ...],
    covered: dict[Series, IntervalSet],
    intervals: IntervalSet,
    rules: MergeRules,
) -> dict[int, Row]:
    found: dict[int, list[tuple[str, tuple[float, ...]]]] = {}
    for source in sources:
        for open_ms, row in content.within(source, covered[source] & intervals).items():
            found.setdefault(open_ms, []).append((source.exchange, row[1:]))
    return {
        open_ms: (
            open_ms,
            *merged_candle(tuple(candles), rules.max_price_deviation_pct, rules.high_low.value),
        )
        for open_ms, candles in found.items()
    }


def spans(intervals: IntervalSet) -> str:
    shown = [f"{_text(start_ms)}..{_text(end_ms)}" for start_ms, end_ms in intervals]
    return ", ".join(shown[:_MOST_SHOWN]) + (" ..." if len(shown) > _MOST_SHOWN else "")


def _times(times: Collection[int]) -> list[str]:
    return [_text(time) for time in sorted(times)[:_MOST_SHOWN]]


def _text(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    except (ValueError, OverflowError):
        return str(time_ms)


def reason_intervals(record: SeriesRecord, reason: GapReason) -> IntervalSet:
    return record.coverage.reasons.get(reason, EMPTY)
