"""What the commands that look say, against a plain count of what is stored."""

from __future__ import annotations

import io
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from content import StoreContent
from export_checks import is_complete
from invariants import spans
from rich.console import Console
from sequence import SETTLE_MS, Step
from world import Outcome, World

from candle_ingestor.commands.gaps import gaps
from candle_ingestor.commands.report import report
from candle_ingestor.commands.runs import runs
from candle_ingestor.commands.status import status
from candle_ingestor.config import Config
from candle_ingestor.errors import DependencyError
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import parse_time_ms

_NEVER_ASKED = ("beyond_reach", "not_listed_yet", "below_minimum")
_END_OF_TIME_MS = 1 << 60
_NEARLY_TOO_MANY = 150
"""Intervals of a series' notes, of which not all may be kept."""

Values = dict[str, Any]


@dataclass
class Looks:
    """Follows what is said of gaps through a sequence.

    Attributes:
        since: by series and candle length, the start of the first run that left it open.
        filled: likewise, the start of the run that filled it.
    """

    since: dict[Series, dict[int, int]] = field(default_factory=dict)
    filled: dict[Series, dict[int, int]] = field(default_factory=dict)

    def violations(
        self, world: World, content: StoreContent, step: Step, outcome: Outcome
    ) -> Iterator[str]:
        """What is said that is not so, after a step."""
        unasked = _unasked_series(world, content, step, outcome)
        self._follow(world, content, outcome, unasked)
        config = world.looking_config()
        told = {name: _told(world, config, command) for name, command in _COMMANDS.items()}
        statuses = {run["run_id"]: run["status"] for run in told["runs"]["runs"]}
        if "running" in statuses.values():
            yield "a run is called running, and none is"
        ran = outcome.report
        if (
            outcome.is_carried_through
            and ran
            and statuses.get(ran.run_id)
            not in (
                None,
                ran.status,
            )
        ):
            yield f"runs: {statuses[ran.run_id]} against {ran.status}"
        # Coarser series are shown by status only.
        told["status"]["series"] = [
            values
            for values in told["status"]["series"]
            if _series(values).timeframe == world.timeframe
        ]
        for name in ("status", "report", "gaps"):
            series = {_series(values) for values in told[name]["series"]}
            if series != content.records.keys():
                yield f"{name}: tells of {sorted(series ^ content.records.keys())} wrongly"
        for values in told["status"]["series"]:
            yield from _status_violations(world, content, values)
        for values in told["report"]["series"]:
            yield from _report_violations(world, content, values)
        by_series: dict[Series, list[Values]] = {series: [] for series in content.records}
        for gap in told["gaps"]["gaps"]:
            by_series[_series(gap)].append(gap)
        for one, listed in by_series.items():
            yield from self._gap_violations(world, content, one, listed)
        for one in unasked & content.records.keys():
            yield from _attempt_violations(world, content, step, one, by_series[one])

    def _gap_violations(
        self, world: World, content: StoreContent, series: Series, listed: list[Values]
    ) -> Iterator[str]:
        record = content.record(series)
        missing = IntervalSet((_wanted(world, record),)) - record.covered
        open_gaps = [gap for gap in listed if gap["status"] != "filled"]
        total = sum(_interval(gap).duration_ms for gap in open_gaps)
        if IntervalSet(map(_interval, open_gaps)) != missing or total != missing.duration_ms:
            yield f"gaps {series}: {spans(IntervalSet(map(_interval, open_gaps)))}, not {missing}"
        notes = record.gap_notes
        many = max(
            sum(len(note.intervals.intervals) for note in each)
            for each in (notes.open, notes.filled)
        )
        if many > _NEARLY_TOO_MANY:
            return
        yield from self._past_violations(record, series, listed)

    def _past_violations(
        self, record: SeriesRecord, series: Series, listed: list[Values]
    ) -> Iterator[str]:
        length_ms = series.timeframe.duration_ms
        since, filled = self.since.get(series, {}), self.filled.get(series, {})
        open_gaps = [gap for gap in listed if gap["status"] != "filled"]
        for gap in open_gaps:
            found = gap["since"] and _ms(gap["since"])
            # What is said has no more than seconds.
            times = [
                since[t] // 1000 * 1000 for t in range(*_interval(gap), length_ms) if t in since
            ]
            if found != min(times, default=None):
                yield f"gaps {series}: since {gap['since']}, not {min(times, default=None)}: {gap}"
            if gap["filled"] is not None:
                yield f"gaps {series}: open and filled: {gap}"
        told = {}
        for gap in listed:
            if gap["status"] == "filled":
                for time_ms in range(*_interval(gap), length_ms):
                    if time_ms in told:
                        yield f"gaps {series}: filled twice: {gap}"
                    told[time_ms] = gap["filled"] and _ms(gap["filled"])
        right: dict[int, int | None] = {
            t: filled[t] // 1000 * 1000 for t in _covered(record, filled)
        }
        right |= dict.fromkeys(_covered(record, since))
        if told != right:
            wrong = sorted(dict(told.items() ^ right.items()))[:5]
            yield f"gaps {series}: filled {[(t, told.get(t), right.get(t)) for t in wrong]}"

    def _follow(
        self, world: World, content: StoreContent, outcome: Outcome, unasked: Collection[Series]
    ) -> None:
        ran = outcome.report
        if ran is None or not (outcome.is_carried_through or unasked):
            self.since = {
                s: _by_time(s, r.gap_notes.open, "first_seen_ms")
                for s, r in content.records.items()
            }
            self.filled = {
                s: _by_time(s, r.gap_notes.filled, "filled_ms") for s, r in content.records.items()
            }
            return
        noted = set(unasked)
        for ticker in ran.tickers:
            if not ticker.sources:
                continue
            merged = Series.merged(Symbol.parse(ticker.symbol), world.timeframe)
            noted.add(merged)
            record = content.record(merged)
            if record.merging is not None:
                noted.update(record.merging.basis.sources)
        for series in noted & content.records.keys():
            self._follow_series(world, series, content.record(series), ran.started_ms)

    def _follow_series(
        self, world: World, series: Series, record: SeriesRecord, started_ms: int
    ) -> None:
        since = self.since.setdefault(series, {})
        filled = self.filled.setdefault(series, {})
        closed_ms = world.timeframe.closed_end_ms(started_ms, SETTLE_MS / 1000)
        if record.wanted is None:
            return
        for time_ms in filled.keys() - _covered(record, filled):
            del filled[time_ms]
        for time_ms in _covered(record, since):
            del since[time_ms]
            filled[time_ms] = started_ms
        for start_ms, end_ms in IntervalSet((record.wanted.interval(closed_ms),)) - record.covered:
            for time_ms in range(start_ms, end_ms, series.timeframe.duration_ms):
                since.setdefault(time_ms, started_ms)


def _unasked_series(
    world: World, content: StoreContent, step: Step, outcome: Outcome
) -> set[Series]:
    """The series of the symbols of which no exchange could say whether it lists them.

    None where the store may have taken no notes.
    """
    ran = outcome.report
    if ran is None or not ran.unavailable_exchanges:
        return set()
    if not outcome.is_carried_through and step.breakdown is not None:
        return set()
    undecided = {ticker.symbol for ticker in ran.tickers if not ticker.sources}
    if isinstance(outcome.failure, DependencyError):
        undecided = set(step.symbols) - ran.dropped.keys()
    found = set()
    for symbol in map(Symbol.parse, undecided):
        merged = Series.merged(symbol, world.timeframe)
        found.add(merged)
        merging = content.record(merged).merging
        before = {} if merging is None else {s.exchange: s for s in merging.basis.sources}
        symbols = [symbol]
        if step.has_aliases and symbol.quote == "USD":
            symbols.append(Symbol(symbol.base, "USDT"))
        for exchange in step.exchanges:
            choices = [Series(exchange, each, world.timeframe) for each in symbols]
            if before.get(exchange) in choices:
                choices.insert(0, before[exchange])
            is_unknown = exchange in ran.unavailable_exchanges
            found.update([s for s in choices if s in content.records or is_unknown][:1])
    return found


def _attempt_violations(
    world: World, content: StoreContent, step: Step, series: Series, listed: list[Values]
) -> Iterator[str]:
    """What lacks an attempt, or why it failed, after a run that wanted it and could not ask."""
    record = content.record(series)
    start_ms = world.closed_end_ms - series.timeframe.duration_ms
    if step.start != "skip":
        start_ms = max(parse_time_ms(step.start), record.pruned_until_ms or 0)
    end_ms = world.closed_end_ms if step.end is None else parse_time_ms(step.end)
    if len(record.gap_notes.open) > _NEARLY_TOO_MANY or series.exchange in (
        exchange for exchange, _ in step.unlisted
    ):
        return
    for gap in listed:
        interval = _interval(gap)
        is_asked = max(start_ms, interval.start_ms) < min(end_ms, interval.end_ms)
        is_final = gap["status"] in ("filled", "permanent") or gap["reason"] in _NEVER_ASKED
        if is_asked and not is_final and not (gap["attempts"] and gap["last_error"]):
            yield f"gaps {series}: the run could not ask, and no attempt is noted: {gap}"


def _status_violations(world: World, content: StoreContent, told: Values) -> Iterator[str]:
    series = _series(told)
    record = content.record(series)
    covered, length_ms = record.covered, series.timeframe.duration_ms
    wanted = _wanted(world, record)
    within = covered & IntervalSet((wanted,))
    stored = len(content.within(series, covered))
    months = months_of(IntervalSet((wanted,)))
    right: dict[str, Any] = {
        "first": covered.start_ms if covered else None,
        "last": covered.end_ms - length_ms if covered else None,
        "minutes_behind": max(wanted.end_ms - covered.end_ms, 0) // 60_000 if covered else None,
        "wanted": wanted.duration_ms // length_ms,
        "covered": within.duration_ms // length_ms,
        "no_trade": covered.duration_ms // length_ms - stored,
        "months_wanted": len(months),
        "months_complete": sum(is_complete(world, content, series, month) for month in months),
    }
    found = {name: told[name] for name in right}
    found["first"] = told["first"] and _ms(told["first"])
    found["last"] = told["last"] and _ms(told["last"])
    if found != right:
        yield f"status {series}: {found} against {right}"
    if told["candles"] not in (stored, len(content.within(series, record.countable))):
        yield f"status {series}: {told['candles']} candles against {stored}"
    if sum(told["gap_candles"].values()) != right["wanted"] - right["covered"]:
        yield f"status {series}: gaps {told['gap_candles']} of {right}"
    pct = told["completeness_pct"]
    if right["wanted"] and not _is_pct(pct, right["covered"], right["wanted"]):
        yield f"status {series}: {pct} % of {right}"


def _report_violations(world: World, content: StoreContent, told: Values) -> Iterator[str]:
    series = _series(told)
    record = content.record(series)
    length_ms = series.timeframe.duration_ms
    everything = IntervalSet((_wanted(world, record),))
    known = Counter(map(Month.of, content.within(series, record.covered & everything)))
    sums: Counter[str] = Counter()
    if [each["month"] for each in told["months"]] != [str(m) for m in months_of(everything)]:
        yield f"report {series}: tells of other months: {told['months']}"
    for each in told["months"]:
        month = Month.parse(each["month"])
        part = everything & IntervalSet((month.interval,))
        covered = (part & record.covered).duration_ms // length_ms
        right = {
            "wanted": part.duration_ms // length_ms,
            "covered": covered,
            "candles": known[month],
            "no_trade": covered - known[month],
        }
        sums.update(right)
        if {name: each[name] for name in right} != right:
            yield f"report {series} {month}: {each} against {right}"
        if sum(each["gap_candles"].values()) != right["wanted"] - covered:
            yield f"report {series} {month}: {each['gap_candles']} of {right}"
        if not _is_pct(each["completeness_pct"], covered, right["wanted"]):
            yield f"report {series} {month}: {each['completeness_pct']} % of {right}"
    if any(told[name] != sums[name] for name in ("wanted", "covered", "candles", "no_trade")):
        yield f"report {series}: its months sum up to {sums}"
    missing = everything - record.covered
    if IntervalSet(map(_interval, told["gaps"])) != missing:
        yield f"report {series}: gaps {told['gaps']} against {spans(missing)}"


def _is_pct(told: float | None, part: int, whole: int) -> bool:
    if told is None:
        return not whole
    return told == 100 * 10_000 * part // whole / 10_000


def _told(world: World, config: Config, command: Callable[..., int]) -> Values:
    text = io.StringIO()
    command(config, world.clock, Console(file=text))
    values: Values = json.loads(text.getvalue())
    return values


_COMMANDS: Mapping[str, Callable[..., int]] = {
    "status": status,
    "gaps": gaps,
    "report": report,
    "runs": runs,
}


def _wanted(world: World, record: SeriesRecord) -> Interval:
    closed_ms = world.timeframe.closed_end_ms(world.clock.now_ms(), SETTLE_MS / 1000)
    if record.wanted is not None:
        return record.wanted.interval(closed_ms)
    covered = record.covered
    return Interval(covered.start_ms, covered.end_ms) if covered else Interval(closed_ms, closed_ms)


def _by_time(series: Series, notes: Any, name: str) -> dict[int, int]:
    length_ms = series.timeframe.duration_ms
    return {
        time_ms: getattr(note, name)
        for note in notes
        for start_ms, end_ms in note.intervals
        for time_ms in range(start_ms, end_ms, length_ms)
    }


def _covered(record: SeriesRecord, times_ms: Iterable[int]) -> set[int]:
    """Those of the times that the record covers."""
    ascending = sorted(times_ms)
    found: set[int] = set()
    for start_ms, end_ms in record.covered:
        first, end = bisect_left(ascending, start_ms), bisect_left(ascending, end_ms)
        found.update(ascending[first:end])
    return found


def _series(told: Values) -> Series:
    symbol, timeframe = Symbol.parse(told["symbol"]), Timeframe.parse(told["timeframe"])
    return Series(told["exchange"], symbol, timeframe)


def _interval(told: Values) -> Interval:
    return Interval(_ms(told["start"]), _ms(told["end"]))


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
