"""Flat bars where a covered candle length had no trade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from partition_exports import (
    BOTH_MONTHS,
    EXPORT,
    FEBRUARY,
    HOUR_MS,
    JANUARY,
    MARCH,
    Export,
    entry_of,
    hourly,
    manifest_of,
    rows_of,
)

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.filling import carried_to, filled_flat

FLAT = replace(EXPORT, fill=Fill.FLAT)
HOURS_OF_JANUARY = 31 * 24
LENGTH = Timeframe.parse("1h")

minutes_of_run = st.sets(st.integers(0, 30))
closes = st.dictionaries(st.integers(0, 30), st.integers(1, 9), max_size=12)


def hours(start: int, end: int) -> IntervalSet:
    """Of January and after it."""
    return IntervalSet.of(JANUARY.start_ms + start * HOUR_MS, JANUARY.start_ms + end * HOUR_MS)


def traded(prices: dict[int, float]) -> Export:
    """Flat, with candles at these hours since January begins, each of one price and volume 0.25."""
    times = [JANUARY.start_ms + hour * HOUR_MS for hour in sorted(prices)]

    def read(interval: Interval) -> pl.DataFrame:
        at_hour = {JANUARY.start_ms + hour * HOUR_MS: price for hour, price in prices.items()}
        inside = [time for time in times if interval.start_ms <= time < interval.end_ms]
        frames = [hourly(Interval(time, time + 1), at_hour[time]) for time in inside]
        return pl.concat([hourly(Interval(0, 0)), *frames])

    return replace(FLAT, read=read)


@pytest.mark.parametrize("file_format", list(ExportFormat))
def test_a_flat_bar_stands_at_the_last_close_where_nothing_was_traded(
    tmp_path: Path, file_format: ExportFormat
) -> None:
    export = replace(
        traded({1: 10.0, 3: 12.0, 9: 13.0}),
        file_format=file_format,
        coverage=hours(0, 5) | hours(7, 11),
        closed_end_ms=JANUARY.start_ms + 11 * HOUR_MS,
    )
    folder = export.to(tmp_path).folder
    assert rows_of(folder) == [
        (1, 1000, 1000, 1000, 1000, 25_000_000),
        (2, 1000, 1000, 1000, 1000, 0),
        (3, 1200, 1200, 1200, 1200, 25_000_000),
        (4, 1200, 1200, 1200, 1200, 0),
        (9, 1300, 1300, 1300, 1300, 25_000_000),
        (10, 1300, 1300, 1300, 1300, 0),
    ]
    assert manifest_of(folder)["fill"] == "flat"


def test_across_a_month_border_the_close_comes_from_before(tmp_path: Path) -> None:
    export = traded({HOURS_OF_JANUARY - 50: 10.0, HOURS_OF_JANUARY + 2: 11.0})
    folder = export.to(tmp_path).folder
    rows = rows_of(folder)
    assert [row[4] for row in rows[48:54]] == [1000, 1000, 1000, 1000, 1100, 1100]
    assert [row[0] for row in rows] == list(range(HOURS_OF_JANUARY - 50, 60 * 24))


def test_it_comes_from_months_ago_where_nothing_was_traded_since(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, MARCH.interval.end_ms)
    export = replace(traded({5: 10.0}), coverage=covered)
    folder = replace(export, months={MARCH: None}).to(tmp_path).folder
    assert entry_of(folder, MARCH)["rows"] == 31 * 24
    assert {row[1:] for row in rows_of(folder)[1:]} == {(1000, 1000, 1000, 1000, 0)}


def test_a_close_that_changes_is_carried_into_the_months_that_follow(tmp_path: Path) -> None:
    """As far as they had no trade of their own, though they are not named."""
    covered = IntervalSet.of(JANUARY.start_ms, MARCH.interval.end_ms)
    export = replace(traded({5: 10.0, 60 * 24 + 1: 12.0}), coverage=covered)
    replace(export, months={}).to(tmp_path)
    revised = replace(export, read=traded({5: 11.0, 60 * 24 + 1: 12.0}).read)
    refused = replace(revised, months={JANUARY: None}).to(tmp_path)
    assert set(refused.undone) == {JANUARY, FEBRUARY, MARCH}
    folder = replace(revised, months={JANUARY: None}, restate=True).to(tmp_path).folder
    rows = rows_of(folder)
    assert {row[4] for row in rows if row[0] <= 60 * 24} == {1100}
    assert {row[4] for row in rows if row[0] > 60 * 24} == {1200}


def test_a_month_in_progress_goes_on_from_its_last_close(tmp_path: Path) -> None:
    export = traded({1: 10.0, 30: 11.0, 41: 12.0})
    for end in (5, 6, 29, 40, 50):
        now = replace(
            export,
            coverage=hours(0, end),
            months={JANUARY: JANUARY.start_ms + (end - 1) * HOUR_MS},
            closed_end_ms=JANUARY.start_ms + end * HOUR_MS,
        )
        folder = now.to(tmp_path).folder
    assert [row[4] for row in rows_of(folder)] == [1000] * 29 + [1100] * 11 + [1200] * 9


def test_a_month_that_begins_flat_is_not_complete_before_the_close_it_repeats_is_final(
    tmp_path: Path,
) -> None:
    border = HOURS_OF_JANUARY
    export = replace(
        traded({5: 10.0, border + 2: 11.0}), unsettled=hours(border - 1, border), months={}
    )
    folder = export.to(tmp_path).folder
    assert entry_of(folder, FEBRUARY)["complete"] is False
    assert replace(export, unsettled=hours(3, 5)).mended_in(tmp_path) == [FEBRUARY]
    assert entry_of(folder, FEBRUARY)["complete"] is True
    assert entry_of(folder, JANUARY)["complete"] is False


def test_a_month_that_begins_with_a_trade_waits_for_no_other(tmp_path: Path) -> None:
    border = HOURS_OF_JANUARY
    export = replace(
        traded({5: 10.0, border: 11.0}), unsettled=hours(border - 1, border), months={}
    )
    assert entry_of(export.to(tmp_path).folder, FEBRUARY)["complete"] is True


@pytest.mark.parametrize(("first", "second"), [(Fill.NONE, Fill.FLAT), (Fill.FLAT, Fill.NONE)])
def test_another_fill_in_the_same_folder_is_refused(
    tmp_path: Path, first: Fill, second: Fill
) -> None:
    replace(EXPORT, fill=first).to(tmp_path)
    with pytest.raises(PartitionError, match=f"with --fill={first}, and --fill={second} is asked"):
        replace(EXPORT, fill=second).to(tmp_path)


@given(covered=minutes_of_run, prices=closes, carried=st.none() | st.just(7.0))
def test_it_is_what_going_minute_by_minute_would_make(
    covered: set[int], prices: dict[int, int], carried: float | None
) -> None:
    known = IntervalSet((hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in covered)
    candles = [
        (hour * HOUR_MS, price + 1.0, price + 2.0, price - 0.5, float(price), 3.0)
        for hour, price in sorted(prices.items())
        if hour in covered
    ]
    expected = []
    close: float | None = None
    found = {row[0]: row for row in candles}
    for index, (start_ms, end_ms) in enumerate(known):
        close = carried if index == 0 else None
        for time in range(start_ms, end_ms, HOUR_MS):
            if time in found:
                close = found[time][4]
                expected.append(found[time])
            elif close is not None:
                expected.append((time, close, close, close, close, 0.0))
    frame = pl.DataFrame(candles, schema=EXCHANGE_CANDLES, orient="row")
    made = filled_flat(frame, known, LENGTH, carried)
    assert made.rows() == expected
    assert made.schema == pl.Schema(EXCHANGE_CANDLES)


@given(gap=st.none() | st.integers(0, 59 * 24), trade=st.none() | st.integers(0, 60 * 24 - 1))
def test_a_close_is_carried_from_the_last_trade_since_the_last_gap(
    gap: int | None, trade: int | None
) -> None:
    coverage = BOTH_MONTHS if gap is None else BOTH_MONTHS - hours(gap, gap + 1)
    read = traded({} if trade is None else {trade: 8.0}).read
    found = carried_to(MARCH.start_ms, coverage, read)
    if trade is None or (gap is not None and trade <= gap):
        assert found is None
    else:
        assert found == (JANUARY.start_ms + trade * HOUR_MS, 8.0)
