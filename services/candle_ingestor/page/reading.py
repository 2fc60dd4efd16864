"""Reads the candles of a head for its charts, a month at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.page.collecting import ChartCollector
from candle_ingestor.page.content import Chart
from candle_ingestor.page.days import day_facts
from candle_ingestor.page.differing import Differing, differing_minutes
from candle_ingestor.page.levels import levels_of
from candle_ingestor.settle.accounting import wanted_of
from candle_ingestor.settle.derived import made_of


def read_chart(
    ledger: Ledger,
    head: Series,
    places: Collection[Interval],
    lines: int,
    now_ms: int,
    settle_seconds: float,
) -> Chart:
    """The chart of a series and of what it is made from.

    No more than a month of candles of these series is held at once, beside what is shown.

    Args:
        places: what is shown in the series' own candle length, wherever it lies.
        lines: how many series the whole page draws.

    Raises:
        StoreError: if the store cannot be read.
    """
    sources = made_of(ledger, head)
    series = (head, *sources)
    wanted = {
        each: IntervalSet(
            (wanted_of(ledger.record(each), each.timeframe.closed_end_ms(now_ms, settle_seconds)),)
        )
        for each in series
    }
    shown = _hull(ledger, series, list(wanted.values()))
    levels = levels_of(head.timeframe, shown, places, lines)
    collector = ChartCollector(head, sources, levels)
    months = {
        month: [each for each in series if ledger.record(each).covered & _span(month)]
        for month in months_of(_known(ledger, series))
    }
    ledger.store.read_ahead(
        [(each, month.interval) for month, known in months.items() for each in known]
    )
    merging = ledger.record(head).merging
    for month, known in months.items():
        frames = {each: no_candles(each) for each in series}
        for each in known:
            candles = ledger.store.read_candles(each, month.interval)
            frames[each] = candles_within(candles, ledger.record(each).covered)
        differing = Differing([])
        if merging is not None:
            covered = ledger.record(head).covered & _span(month)
            differing = differing_minutes(merging, covered, frames)
        collector.take(frames, differing)
    days = tuple(
        day_facts(
            each, shown, wanted[each], ledger.record(each).covered, collector.candles_by_day(each)
        )
        for each in series
    )
    return Chart(
        shown, collector.bars(), days, collector.marks(), collector.excluded, collector.disagreeing
    )


def _span(month: Month) -> IntervalSet:
    return IntervalSet((month.interval,))


def _known(ledger: Ledger, series: Sequence[Series]) -> IntervalSet:
    known = IntervalSet()
    for each in series:
        known = known | ledger.record(each).covered
    return known


def _hull(ledger: Ledger, series: Sequence[Series], wanted: Sequence[IntervalSet]) -> Interval:
    """From the first to the last minute that is wanted or known of any of the series."""
    everything = _known(ledger, series)
    for each in wanted:
        everything = everything | each
    if not everything:
        return Interval(0, 0)
    return Interval(everything.start_ms, everything.end_ms)
