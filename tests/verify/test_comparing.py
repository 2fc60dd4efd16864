"""Two frames of candles compared, and what of the differences is kept."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from minutes import KRAKEN, MERGED, MINUTE_MS, START_MS, candles, minutes

from candle_ingestor.model.intervals import Interval
from candle_ingestor.verify.comparing import candle_differences
from candle_ingestor.verify.findings import (
    MOST_KEPT,
    Check,
    Difference,
    Findings,
    Kind,
    minutes_of,
)

prices = st.dictionaries(st.integers(0, 20), st.sampled_from([1.0, 2.0, 3.5]))


@given(stored=prices, right=prices)
def test_every_minute_that_differs_is_told_once_by_its_kind(
    stored: dict[int, float], right: dict[int, float]
) -> None:
    found = candle_differences(Check.EXCHANGE, KRAKEN, candles(stored), candles(right))

    kinds = {}
    for each in found:
        assert each.interval is not None
        kinds[(each.interval.start_ms - START_MS) // MINUTE_MS] = each.kind
    assert list(kinds) == sorted(kinds)
    assert kinds == {
        minute: Kind.MISSING
        if minute not in stored
        else Kind.SURPLUS
        if minute not in right
        else Kind.VALUES
        for minute in sorted({*stored, *right})
        if stored.get(minute) != right.get(minute)
    }
    assert minutes_of(found) == minutes(kinds)


def test_only_the_fields_that_differ_are_told_and_how_far_the_worst_is_off() -> None:
    stored = candles({0: 10.0})
    right = stored.with_columns(pl.lit(9.0).alias("close"), pl.lit(1.0).alias("volume"))

    (found,) = candle_differences(Check.EXCHANGE, KRAKEN, stored, right)

    assert found.stored == {"close": 10.0, "volume": 2.0}
    assert found.found == {"close": 9.0, "volume": 1.0}
    assert found.size_pct == 50


def test_other_exchanges_behind_a_merged_candle_are_a_difference() -> None:
    def merged(names: str) -> pl.DataFrame:
        count = pl.lit(len(names.split(",")), pl.Int64)
        return candles({0: 10.0}).with_columns(
            pl.lit(names).alias("source_exchanges"), count.alias("exchange_count")
        )

    (found,) = candle_differences(Check.MERGED, MERGED, merged("kraken"), merged("kraken,okx"))

    assert found.stored == {"source_exchanges": "kraken", "exchange_count": 1}
    assert found.size_pct == 0


def test_of_many_the_worst_are_kept_and_all_are_counted() -> None:
    findings = Findings()
    sizes = [float(number * 7919 % (MOST_KEPT + 50)) for number in range(MOST_KEPT + 50)]
    for number, size in enumerate(sizes):
        interval = Interval(number, number + 1)
        findings.add(
            Difference(Check.MERGED, Kind.VALUES, MERGED, interval, size_pct=size),
            is_repaired=number == 0,
        )

    kept = [each.size_pct for each in findings.worst_first]
    assert kept == sorted(sizes, reverse=True)[:MOST_KEPT]
    assert (findings.total, findings.left) == (len(sizes), len(sizes) - 1)
