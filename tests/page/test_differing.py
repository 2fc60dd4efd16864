"""Which minutes are marked: those that the rules of the merge left out, or let stand apart."""

from collections.abc import Sequence

import polars as pl
import pytest

from candle_ingestor.merge.by_column import merge_by_column
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.page.differing import differing_minutes

MINUTE_MS = 60_000
EXCHANGES = ("bitstamp", "coinbaseexchange", "kraken")
SPAN = IntervalSet.of(0, 100 * MINUTE_MS)


def series_of(exchange: str) -> Series:
    return Series(exchange, Symbol("BTC", "USD"), Timeframe(1))


def merging_of(exchanges: Sequence[str] = EXCHANGES, deviation_pct: float = 5.0) -> Merging:
    rules = MergeRules(tuple(exchanges), len(exchanges), deviation_pct)
    return Merging(MergeBasis(rules, tuple(map(series_of, exchanges))))


def frames_of(**closes: dict[int, float]) -> dict[Series, pl.DataFrame]:
    return {
        series_of(exchange): pl.DataFrame(
            [
                (minute * MINUTE_MS, 100.0, max(close, 100.0), min(close, 100.0), close, 1.0)
                for minute, close in by_minute.items()
            ],
            schema=EXCHANGE_CANDLES,
            orient="row",
        )
        for exchange, by_minute in closes.items()
    }


def test_the_one_of_three_that_is_too_far_off_is_excluded() -> None:
    frames = frames_of(
        bitstamp={1: 100, 2: 100}, coinbaseexchange={1: 101, 2: 100}, kraken={1: 100, 2: 90}
    )
    found = differing_minutes(merging_of(), SPAN, frames)
    assert (found.excluded, found.disagreeing) == (1, 0)
    (mark,) = found.marks
    assert (mark.open_time_ms, mark.kind, mark.exchange) == (2 * MINUTE_MS, "excluded", "kraken")
    assert mark.size_pct == pytest.approx(10)
    assert "below the median" in mark.words


def test_of_two_both_stay_and_disagree() -> None:
    frames = frames_of(bitstamp={1: 100, 2: 120}, kraken={1: 101, 2: 100})
    found = differing_minutes(merging_of(("bitstamp", "kraken")), SPAN, frames)
    assert (found.excluded, found.disagreeing) == (0, 1)
    (mark,) = found.marks
    assert (mark.open_time_ms, mark.kind, mark.exchange) == (
        2 * MINUTE_MS,
        "disagreeing",
        "bitstamp",
    )


def test_what_is_not_covered_is_not_merged_and_not_marked() -> None:
    frames = frames_of(bitstamp={1: 100, 2: 100}, coinbaseexchange={1: 100}, kraken={1: 80, 2: 80})
    found = differing_minutes(merging_of(), SPAN - IntervalSet.of(0, 3 * MINUTE_MS), frames)
    assert not found.marks


def test_minutes_are_judged_by_the_rules_that_made_them() -> None:
    frames = frames_of(
        bitstamp={1: 100, 2: 100}, coinbaseexchange={1: 100, 2: 100}, kraken={1: 93, 2: 93}
    )
    strict = merging_of(deviation_pct=5.0)
    lenient = strict.adopting(
        merging_of(deviation_pct=10.0).basis, IntervalSet.of(0, 2 * MINUTE_MS)
    )
    found = differing_minutes(lenient, SPAN, frames)
    assert [mark.open_time_ms for mark in found.marks] == [MINUTE_MS]


def test_as_many_are_marked_as_the_merge_left_out() -> None:
    closes = {
        exchange: {minute: 100.0 + ((minute * 7 + i * 31) % 23) for minute in range(90)}
        for i, exchange in enumerate(EXCHANGES)
    }
    frames = frames_of(**closes)
    merging = merging_of()
    by_name = {series.exchange: frame for series, frame in frames.items()}
    merged = merge_by_column(by_name, merging.basis.rules)
    found = differing_minutes(merging, SPAN, frames)
    kinds = [mark.kind for mark in found.marks]
    assert kinds.count("excluded") == sum(merged.excluded.values()) > 10
    assert kinds.count("disagreeing") == found.disagreeing == merged.disagreements
