import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from minutes import candles, ms, shown

from candle_ingestor.ledger.comparison import compare

FRAMES = st.dictionaries(st.integers(0, 12), st.sampled_from([1.0, 2.0, 3.0]))


@given(FRAMES, FRAMES)
def test_writing_the_difference_makes_what_is_stored_what_it_is_to_be(
    wanted: dict[int, float], stored: dict[int, float]
) -> None:
    found = compare(candles(wanted), candles(stored))

    written = {} if found.candles is None else shown(found.candles)
    removed = {minute for minute in stored if ms(minute) in found.deleted}
    assert {m: p for m, p in stored.items() if m not in removed} | written == wanted
    assert not removed & written.keys()
    assert all(stored.get(minute) != price for minute, price in written.items())
    assert found.candles is None or not found.candles.is_empty()
    assert found.new == len(wanted.keys() - stored.keys())
    both = wanted.keys() & stored.keys()
    replaced = {minute for minute in both if wanted[minute] != stored[minute]}
    assert found.revised == len(replaced) + len(stored.keys() - wanted.keys())


def test_any_value_of_a_candle_makes_it_another_one() -> None:
    before = candles({0: 10.0, 1: 20.0})
    for column in ("open", "high", "low", "close", "volume"):
        after = before.with_columns(before[column] + pl.Series([0.0, 1e-9]))
        found = compare(after, before)
        assert found.candles is not None
        assert found.candles["open_time_ms"].to_list() == [ms(1)]
        assert (found.new, found.revised) == (0, 1)
