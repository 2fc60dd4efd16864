from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.months import Month
from candle_ingestor.model.timeframe import DAY_MS

START_MS = Month(2023, 1).start_ms

days = st.sets(st.integers(0, 120), max_size=40)


def candles(open_days: set[int]) -> pl.DataFrame:
    times = [START_MS + day * DAY_MS for day in sorted(open_days)]
    return pl.DataFrame({"open_time_ms": times}, schema={"open_time_ms": pl.Int64()})


def months(open_days: set[int]) -> Counter[Month]:
    return Counter(Month.of(START_MS + day * DAY_MS) for day in open_days)


@given(days)
def test_candles_are_counted_by_the_month_they_open_in(open_days: set[int]) -> None:
    assert counted_by_month(candles(open_days)) == months(open_days)


@given(days, days, days, st.sets(st.integers(0, 3), max_size=2))
def test_replaced_candles_count_once_and_unknown_months_stay_unknown(
    others: set[int], before: set[int], after: set[int], unknown_months: set[int]
) -> None:
    others -= before | after
    unknown = {Month(2023, 1 + number) for number in unknown_months}
    counts = CandleCounts(months(others | before)).without(unknown)

    changed = counts.changed(candles(before), candles(after))

    known = {m: n for m, n in months(others | after).items() if m not in unknown}
    assert changed == CandleCounts(known, frozenset(unknown))
    assert changed.with_counted(dict.fromkeys(unknown, 7)).unknown == frozenset()
