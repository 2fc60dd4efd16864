"""Flat candles for idle time, and coarser candles, against the plainest model of either."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from exported_series import HOUR_MS, JANUARY_MS, MINUTE_MS, export, hourly_but
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import IntervalSet
from candle_loader import Candles, Gap, LoaderError, SeriesInfo, load

SERIES = SeriesInfo("kraken", "BTC/USD", "1m", 2, 8, Path())
COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")
DAY_MS = 24 * HOUR_MS


class Slot(NamedTuple):
    """What a minute is: in a gap, or with or without a candle."""

    is_gap: bool
    close: int | None


SLOTS = st.lists(
    st.builds(
        lambda kind, close: Slot(kind == "gap", close if kind == "candle" else None),
        st.sampled_from(["candle", "candle", "idle", "gap"]),
        st.integers(-(10**6), 10**6),
    ),
    max_size=40,
)


def candles_of(slots: list[Slot], start_ms: int) -> Candles:
    rows = [
        (start_ms + n * MINUTE_MS, slot.close - 1, slot.close + 2, slot.close - 3, slot.close, n)
        for n, slot in enumerate(slots)
        if slot.close is not None
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.Int64), orient="row")
    minute = [start_ms + n * MINUTE_MS for n in range(len(slots) + 1)]
    gaps: list[Gap] = []
    for n, slot in enumerate(slots):
        if slot.is_gap and n and slots[n - 1].is_gap:
            gaps[-1] = gaps[-1]._replace(end_ms=minute[n + 1])
        elif slot.is_gap:
            gaps.append(Gap(minute[n], minute[n + 1], "fetch_failed"))
    return Candles(SERIES, frame, start_ms, minute[-1], tuple(gaps))


@given(SLOTS)
def test_idle_minutes_are_flat_but_never_across_a_gap(slots: list[Slot]) -> None:
    expected: list[tuple[Any, ...]] = []
    close = None
    loaded = candles_of(slots, JANUARY_MS)
    rows = {row[0]: row for row in loaded.frame.rows()}
    for n, slot in enumerate(slots):
        time_ms = JANUARY_MS + n * MINUTE_MS
        close = None if slot.is_gap else close if slot.close is None else slot.close
        if slot.close is not None:
            expected.append(rows[time_ms])
        elif close is not None:
            expected.append((time_ms, close, close, close, close, 0))
    filled = loaded.fill_idle()
    assert filled.frame.rows() == expected
    assert filled.frame.schema == loaded.frame.schema
    assert filled.gaps == loaded.gaps
    assert filled.fill_idle().frame.equals(filled.frame)


@given(SLOTS, st.integers(0, 9), st.sampled_from([2, 3, 5, 6]))
def test_a_coarse_candle_is_there_only_where_its_whole_span_is_known(
    slots: list[Slot], offset: int, minutes: int
) -> None:
    start_ms = JANUARY_MS + offset * MINUTE_MS
    loaded = candles_of(slots, start_ms)
    coarse = loaded.resample(f"{minutes}m")
    by_time = {start_ms + n * MINUTE_MS: (n, slot) for n, slot in enumerate(slots)}
    expected, unknown = [], set()
    for time_ms in range(JANUARY_MS, loaded.end_ms, minutes * MINUTE_MS):
        span = [by_time.get(time_ms + n * MINUTE_MS) for n in range(minutes)]
        inside = [entry for entry in span if entry is not None]
        if len(inside) < minutes:
            continue
        if any(slot.is_gap for _, slot in inside):
            unknown.add(time_ms)
            continue
        traded = [(n, slot.close) for n, slot in inside if slot.close is not None]
        if traded:
            closes = [close for _, close in traded]
            prices = (closes[0] - 1, max(closes) + 2, min(closes) - 3, closes[-1])
            expected.append((time_ms, *prices, sum(n for n, _ in traded)))
    assert coarse.frame.rows() == expected
    assert coarse.frame.schema == loaded.frame.schema
    assert coarse.series.timeframe == f"{minutes}m"
    grid = range(coarse.start_ms, coarse.end_ms, minutes * MINUTE_MS)
    assert {t for t in grid if any(g.start_ms <= t < g.end_ms for g in coarse.gaps)} == unknown


def test_idle_hours_of_an_export_are_filled_and_resampled(tmp_path: Path) -> None:
    third_ms = JANUARY_MS + 2 * DAY_MS
    covered = IntervalSet([(JANUARY_MS, third_ms), (third_ms + DAY_MS, third_ms + 12 * DAY_MS)])
    missing = [JANUARY_MS, JANUARY_MS + 5 * HOUR_MS, third_ms + DAY_MS]
    export(tmp_path, covered, third_ms + 12 * DAY_MS, read=hourly_but(*missing))
    candles = load(tmp_path, "kraken", "BTC/USD", timeframe="1h")
    filled = candles.fill_idle()
    assert filled.frame.height == candles.frame.height + 1
    assert filled.frame.row(4) == (JANUARY_MS + 5 * HOUR_MS, 100, 100, 100, 100, 0)
    days = candles.resample("1d")
    assert days.gaps == (Gap(third_ms, third_ms + DAY_MS, "fetch_failed"),)
    assert days.frame["timestamp_ms"].to_list() == [
        JANUARY_MS + n * DAY_MS for n in range(14) if n != 2
    ]
    volume = 1234567887654321
    assert days.frame.row(0) == (JANUARY_MS, 200, 100025, 50, 100, 22 * volume)
    # 2024 began on a Monday; the third week of the range is not whole.
    weeks = candles.resample("1w")
    assert weeks.frame["timestamp_ms"].to_list() == [JANUARY_MS + 7 * DAY_MS]
    assert weeks.gaps == (Gap(JANUARY_MS, JANUARY_MS + 7 * DAY_MS, "fetch_failed"),)
    assert weeks.frame["volume"].to_list() == [7 * 24 * volume]


@pytest.mark.parametrize("timeframe", ["30m", "90m", "1x", "2w"])
def test_what_is_no_multiple_is_refused(tmp_path: Path, timeframe: str) -> None:
    export(tmp_path)
    with pytest.raises(LoaderError, match=timeframe):
        load(tmp_path, "kraken", "BTC/USD", timeframe="1h").resample(timeframe)


def test_a_volume_beyond_an_int64_is_an_error_and_one_just_within_is_exact() -> None:
    loaded = candles_of([Slot(is_gap=False, close=5)] * 2, JANUARY_MS)
    for volumes, fits in (([2**63 - 1, 0], True), ([2**63 - 1, 1], False)):
        changed = Candles(
            SERIES,
            loaded.frame.with_columns(volume=pl.Series(volumes)),
            *(loaded.start_ms, loaded.end_ms, ()),
        )
        if fits:
            assert changed.resample("2m").frame["volume"].to_list() == [2**63 - 1]
        else:
            with pytest.raises(LoaderError, match="does not fit an int64"):
                changed.resample("2m")
