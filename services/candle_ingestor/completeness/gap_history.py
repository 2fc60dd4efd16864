"""What past runs told of a gap: since when it is known, and how often it was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import AGGREGATED, Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import parse_time_ms

_ASKED = (GapReason.FETCH_FAILED, GapReason.REJECTED)


@dataclass(frozen=True)
class GapPast:
    """What runs told of one interval.

    Attributes:
        since_ms: start of the first of the runs in a row that listed it; None where none did.
        attempts: in how many of them it was asked for without success.
        last_error: why the newest of these failed; None where nothing is known of it.
    """

    since_ms: int | None = None
    attempts: int = 0
    last_error: str | None = None


@dataclass(frozen=True)
class _Told:
    started_ms: int
    gaps: tuple[Gap, ...]
    error: str | None


class GapHistory:
    """What run reports, newest first, list of the gaps of each series."""

    def __init__(self, runs: Sequence[Mapping[str, Any]]) -> None:
        self._told: dict[Series, list[_Told]] = {}
        for run in runs:
            for series, told in _told_by(run):
                self._told.setdefault(series, []).append(told)

    def past_of(self, series: Series, interval: Interval) -> GapPast:
        """What the runs told of an interval that is a gap now."""
        since_ms, attempts, last_error = None, 0, None
        for told in self._told.get(series, ()):
            reasons = [gap.reason for gap in told.gaps if _meet(gap.interval, interval)]
            if not reasons:
                break
            since_ms = told.started_ms
            if any(reason in _ASKED for reason in reasons):
                attempts += 1
                last_error = last_error or told.error
        return GapPast(since_ms, attempts, last_error)

    def filled(self, series: Series, covered: IntervalSet) -> list[Gap]:
        """What of former gaps is covered now, ascending, each with the newest reason it had."""
        remaining = covered
        found: list[Gap] = []
        for told in self._told.get(series, ()):
            listed = EMPTY
            for interval, reason in told.gaps:
                part = remaining & IntervalSet((interval,))
                found += [Gap(each, reason) for each in part]
                listed = listed | part
            remaining = remaining - listed
        return sorted(found)


def _told_by(run: Mapping[str, Any]) -> Iterator[tuple[Series, _Told]]:
    troubles = run.get("exchange_troubles", {})
    for ticker in run.get("tickers", ()):
        errors = "; ".join(ticker["errors"]) or None
        yield _told(run, AGGREGATED, ticker["symbol"], ticker["gaps"], errors)
        for exchange, source in ticker.get("exchanges", {}).items():
            error = troubles.get(exchange, {}).get("error")
            yield _told(run, exchange, source["symbol"], source["gaps"], error)


def _told(
    run: Mapping[str, Any],
    exchange: str,
    symbol: str,
    gaps: Sequence[Mapping[str, str]],
    error: str | None,
) -> tuple[Series, _Told]:
    series = Series(exchange, Symbol.parse(symbol), Timeframe.parse(run["timeframe"]))
    known = [gap for gap in gaps if gap["reason"] in set(GapReason)]
    listed = tuple(
        Gap(
            Interval(parse_time_ms(gap["start"]), parse_time_ms(gap["end"])),
            GapReason(gap["reason"]),
        )
        for gap in known
    )
    return series, _Told(run["started_ms"], listed, error)


def _meet(one: Interval, other: Interval) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms
