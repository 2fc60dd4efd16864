"""What must hold of coarser series after every step, against what they are put together from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction

from content import Row, StoreContent
from invariants import spans
from sequence import Step
from world import Outcome, World

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe


def without_derived(content: StoreContent) -> StoreContent:
    """The content of the store but for coarser series."""
    derived = _derived(content)
    return StoreContent(
        {series: record for series, record in content.records.items() if series not in derived},
        {series: rows for series, rows in content.candles.items() if series not in derived},
    )


def derived_violations(
    world: World, content: StoreContent, step: Step, outcome: Outcome
) -> Iterator[str]:
    """What is wrong with coarser series, however the last step ended."""
    for series in sorted(_derived(content)):
        record = content.record(series)
        assert record.derivation is not None
        source = record.derivation.source
        unfounded = record.covered - content.record(source).covered
        if unfounded:
            yield f"{series}: covers {spans(unfounded)}, which {source} does not"
        if record.covered and record.covered.end_ms > world.closed_end_ms:
            yield f"{series}: covers time that is not closed yet"
        right = _put_together(content.within(source, record.covered), series.timeframe)
        stored = {o: row[:6] for o, row in content.within(series, record.covered).items()}
        if stored != right:
            wrong = sorted(o for o in stored | right if stored.get(o) != right.get(o))
            shown = [(o, stored.get(o), right.get(o)) for o in wrong[:3]]
            yield f"{series}: {len(wrong)} candles are wrong (stored, exact): {shown}"
        counted = Counter(map(Month.of, content.within(series, record.countable)))
        doubtful = {*record.counts.unknown, *months_of(record.stale)}
        told = {m: n for m, n in record.counts.by_month.items() if m not in doubtful}
        if told != {m: n for m, n in counted.items() if m not in doubtful}:
            yield f"{series}: counts {told}, and {dict(counted)} are stored"
        report = outcome.report
        is_whole = outcome.is_carried_through and (report is None or report.stop_reason is None)
        if is_whole and step.is_last and str(series.symbol) not in outcome.dropped:
            yield from _end_violations(content, series, source)


def _end_violations(content: StoreContent, series: Series, source: Series) -> Iterator[str]:
    """What was not made though it can be, or is there and not covered."""
    record = content.record(series)
    timeframe = series.timeframe
    whole = IntervalSet(
        (timeframe.ceil_ms(start_ms), timeframe.floor_ms(end_ms))
        for start_ms, end_ms in content.record(source).covered
    )
    missing = whole - record.covered - IntervalSet.of(0, record.pruned_until_ms or 0)
    if missing:
        yield f"{series}: {spans(missing)} can be made of {source}, and is not there"
    if content.candles.get(series, {}).keys() - content.within(series, record.covered):
        yield f"{series}: rows outside coverage remain"


def _put_together(minutes: Mapping[int, Row], timeframe: Timeframe) -> dict[int, Row]:
    by_open: dict[int, list[Row]] = {}
    for open_ms, row in minutes.items():
        by_open.setdefault(timeframe.floor_ms(open_ms), []).append(row)
    return {
        open_ms: (
            open_ms,
            rows[0][1],
            max(row[2] for row in rows),
            min(row[3] for row in rows),
            rows[-1][4],
            float(sum(Fraction(repr(row[5])) for row in rows)),
        )
        for open_ms, rows in by_open.items()
    }


def _derived(content: StoreContent) -> set[Series]:
    return {series for series, record in content.records.items() if record.derivation is not None}
