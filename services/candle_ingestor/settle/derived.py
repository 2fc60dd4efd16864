"""Which series are derived from which, and by what (rule E3's chain down to the minutes)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from candle_ingestor.config import DerivedConfig
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.derivation import WHOLE_PCT, Derivation
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord, Wanted
from candle_ingestor.model.timeframe import Timeframe


def derived_from(ledger: Ledger, root: Series) -> list[Series]:
    """The series that are put together from this one, in steps or at once, the finest first."""
    found: set[Series] = set()
    to_follow = [root]
    while to_follow:
        for series in ledger.dependents(to_follow.pop()):
            if ledger.record(series).derivation is not None and series not in found:
                found.add(series)
                to_follow.append(series)
    return sorted(found, key=lambda series: series.timeframe)


def root_of(ledger: Ledger, series: Series) -> Series:
    """The merged or fetched series that a derived one is made from in the end; else itself."""
    derivation = ledger.record(series).derivation
    return series if derivation is None else root_of(ledger, derivation.source)


def made_of(ledger: Ledger, series: Series) -> tuple[Series, ...]:
    """The exchanges' series of its timeframe that stand below a merged or derived series."""
    record = ledger.record(series)
    if record.derivation is None or not series.is_merged:
        return record.merged_from
    below = set(ledger.record(root_of(ledger, series)).merged_from)
    return tuple(
        sorted(
            each
            for root in below
            for each in derived_from(ledger, root)
            if each.timeframe == series.timeframe
        )
    )


def is_derived(ledger: Ledger, series: Series) -> bool:
    """Whether the series is put together from a finer one."""
    return ledger.record(series).derivation is not None


def merged_of(ledger: Ledger, series: Series) -> set[Series]:
    """The merged series that follow a change of any series: itself, its root, or dependents."""
    root = root_of(ledger, series)
    if ledger.record(root).merging is not None:
        return {root}
    return {each for each in ledger.dependents(root) if ledger.record(each).merging is not None}


def adopted_derivations(
    root: Series,
    rules: DerivedConfig,
    record_of: Callable[[Series], SeriesRecord],
    derived: Collection[Series],
) -> dict[Series, SeriesRecord]:
    """The records of what is wanted to be derived from a series.

    Each is made from the coarsest of the others that divides it, and of parts from the root. What a
    series is made from stays, where it can. Of another share what is made of parts is made again.

    Args:
        record_of: what is known of a series.
        derived: what is derived from the root already.

    Raises:
        ConfigurationError: if a series of the same exchange, symbol and timeframe is no derived
            one.
    """
    finer = [root, *derived]
    records: dict[Series, SeriesRecord] = {}
    for timeframe in sorted(set(rules.timeframes)):
        series = replace(root, timeframe=timeframe)
        record = record_of(series)
        _require_derivable(root, series, record)
        before = record.derivation
        if before is not None and before.min_coverage_pct == rules.min_coverage_pct:
            continue
        source = _source_of(timeframe, rules, root, finer)
        if before is not None and rules.min_coverage_pct >= WHOLE_PCT:
            source = before.source
        finer.append(series)
        if before is not None:
            # What the other source does not cover is to be made again.
            gone = record.covered - record_of(source).covered
            record = record.withdrawn(gone | before.partial)
            before = record.derivation
            assert before is not None
            derivation = replace(before, source=source, min_coverage_pct=rules.min_coverage_pct)
        else:
            derivation = Derivation(source, rules.min_coverage_pct)
        records[series] = replace(record, derivation=derivation)
    return records


def in_step(record: SeriesRecord, root: SeriesRecord, timeframe: Timeframe) -> SeriesRecord:
    """The record of a derived series that is wanted as its root is."""
    wanted = root.wanted
    if wanted is not None:
        until_ms = wanted.until_ms
        wanted = Wanted(
            timeframe.ceil_ms(max(wanted.from_ms, record.pruned_until_ms or 0)),
            None if until_ms is None else timeframe.floor_ms(until_ms),
        )
    return replace(record, wanted=wanted, tier=root.tier)


def require_not_derived(series: Collection[Series], ledger: Ledger) -> None:
    """Refuses to fetch or merge what is derived.

    Raises:
        ConfigurationError: if one of the series is put together from a finer one.
    """
    for each in sorted(series):
        derivation = ledger.record(each).derivation
        if derivation is not None:
            raise ConfigurationError(
                f"{each} is put together from {derivation.source.timeframe} candles "
                "(--derived_timeframes), so that it is neither fetched nor merged; choose another "
                "--candle_granularity_minutes or another store, or remove the series with "
                f"candle-ingestor prune --symbols={each.symbol} "
                f"--candle_granularity_minutes={each.timeframe}"
            )


def _require_derivable(root: Series, series: Series, record: SeriesRecord) -> None:
    if not root.timeframe.divides(series.timeframe):
        raise ConfigurationError(
            f"--derived_timeframes: {series.timeframe} candles cannot be put together from "
            f"{root.timeframe} candles; name multiples of {root.timeframe}"
        )
    if record.derivation is not None:
        return
    if record.merging is not None or record.coverage != SeriesRecord().coverage:
        how = "merged" if record.merging is not None else "fetched or imported"
        raise ConfigurationError(
            f"--derived_timeframes: the store has {series} already, {how} as candles of that "
            f"length, and they are not overwritten; leave {series.timeframe} out, use another "
            f"store, or remove the series with candle-ingestor prune --symbols={series.symbol} "
            f"--candle_granularity_minutes={series.timeframe}"
        )


def _source_of(
    timeframe: Timeframe, rules: DerivedConfig, root: Series, finer: Sequence[Series]
) -> Series:
    if rules.min_coverage_pct < WHOLE_PCT:
        # A finer candle that is not made for want of minutes would take the others along.
        return root
    dividing = [series for series in finer if series.timeframe.divides(timeframe)]
    return max(dividing, key=lambda series: series.timeframe)


def pruned_part(record: SeriesRecord) -> IntervalSet:
    """The time before which the user removed what was known."""
    return IntervalSet.of(0, record.pruned_until_ms or 0)
