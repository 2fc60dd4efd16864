"""Candles in hand against a model of what the store holds."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import BITSTAMP, KRAKEN, MERGED, candles, flat, minutes_in, ms, shown, span

from candle_ingestor.ledger.hand import CandlesInHand
from candle_ingestor.model.candles import schema_of
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series

END = 30
SERIES = st.sampled_from([KRAKEN, BITSTAMP])
INTERVALS = st.tuples(st.integers(0, END), st.integers(0, END)).map(
    lambda pair: Interval(ms(min(pair)), ms(max(pair)))
)
SPANS = st.lists(INTERVALS, max_size=3).map(IntervalSet)
PRICES = st.dictionaries(st.integers(0, END - 1), st.floats(1, 9))
PUTS = st.tuples(SERIES, SPANS, PRICES, SPANS)


def within(prices: dict[int, float], span: IntervalSet) -> dict[int, float]:
    return {minute: price for minute, price in prices.items() if span.contains(ms(minute))}


@settings(max_examples=100)
@given(
    st.lists(PUTS, max_size=12), st.lists(st.tuples(SERIES, INTERVALS), max_size=8), st.booleans()
)
def test_what_is_in_hand_is_what_the_store_holds(
    puts: list[tuple[Series, IntervalSet, dict[int, float], IntervalSet]],
    asked: list[tuple[Series, Interval]],
    is_narrow: bool,
) -> None:
    most_rows = 15 if is_narrow else 10_000
    hand = CandlesInHand(most_rows)
    stored: dict[Series, dict[int, float]] = {KRAKEN: {}, BITSTAMP: {}}
    put: dict[Series, IntervalSet] = {KRAKEN: EMPTY, BITSTAMP: EMPTY}
    for series, taken, prices, dropped in puts:
        before = stored[series]
        kept = {m: p for m, p in before.items() if not taken.contains(ms(m))}
        stored[series] = kept | within(prices, taken)
        put[series] = put[series] | taken
        hand.put(series, taken, candles(within(prices, taken)))
        hand.drop(series, dropped)
        put[series] = put[series] - dropped
        hand.shrink()

        assert rows_in(hand) <= most_rows
        for one, interval in asked:
            wanted = IntervalSet((interval,))
            found = hand.candles(one, interval)
            if found is not None:
                assert shown(found) == within(stored[one], wanted)
                assert found["open_time_ms"].is_sorted()
            elif not is_narrow and wanted:
                assert not put[one].covers(interval)
            missing = hand.missing(one, wanted)
            assert missing & wanted == missing
            assert bool(missing) == (found is None and bool(wanted))
            assert all(hand.candles(one, each) is not None for each in wanted - missing)
            last_ms = hand.last_open_ms(one, interval.end_ms)
            earlier = [m for m in stored[one] if ms(m) < interval.end_ms]
            assert last_ms is None or last_ms == ms(max(earlier))


def rows_in(hand: CandlesInHand) -> int:
    """How many candles it can answer with."""
    rows = 0
    for series in (KRAKEN, BITSTAMP):
        for minute in range(END):
            found = hand.candles(series, Interval(ms(minute), ms(minute + 1)))
            rows += 0 if found is None else found.height
    return rows


def test_the_newest_candle_is_told_across_stretches_without_one() -> None:
    hand = CandlesInHand()
    hand.put(KRAKEN, span(0, 10), flat([2, 3]))
    hand.put(KRAKEN, span(10, 20), flat([]))

    assert hand.last_open_ms(KRAKEN, ms(20)) == ms(3)
    assert hand.last_open_ms(KRAKEN, ms(3)) == ms(2)
    assert hand.last_open_ms(KRAKEN, ms(2)) is None
    assert hand.last_open_ms(KRAKEN, ms(21)) is None
    assert hand.last_open_ms(BITSTAMP, ms(21)) is None


def test_an_answer_without_candles_has_the_columns_of_its_series() -> None:
    hand = CandlesInHand()
    for series in (KRAKEN, MERGED):
        hand.put(series, span(0, 5), pl.DataFrame(schema=schema_of(series)))
        found = hand.candles(series, Interval(ms(1), ms(2)))
        assert found is not None
        assert dict(found.schema) == schema_of(series)


def test_the_series_used_longest_ago_goes_first() -> None:
    hand = CandlesInHand(20)
    hand.put(KRAKEN, span(0, 10), flat(range(10)))
    hand.put(BITSTAMP, span(0, 10), flat(range(10)))
    whole = Interval(ms(0), ms(10))
    assert hand.candles(KRAKEN, whole) is not None

    hand.put(MERGED, span(0, 1), pl.DataFrame(schema=schema_of(MERGED)))
    hand.put(KRAKEN, span(10, 11), flat([10]))
    hand.shrink()

    assert hand.candles(KRAKEN, whole) is not None
    assert hand.candles(BITSTAMP, whole) is None


def test_of_one_series_that_is_too_long_the_newest_candles_stay() -> None:
    hand = CandlesInHand(10)
    hand.put(KRAKEN, span(10, 18), flat(range(10, 18)))
    hand.put(KRAKEN, span(18, 23), flat(range(18, 23)))
    hand.shrink()

    assert minutes_in(span(18, 23)) == set(shown_of(hand, 18, 23))
    assert hand.candles(KRAKEN, Interval(ms(10), ms(18))) is None


def shown_of(hand: CandlesInHand, first: int, last: int) -> dict[int, float]:
    found = hand.candles(KRAKEN, Interval(ms(first), ms(last)))
    assert found is not None
    return shown(found)


def test_what_is_forgotten_is_not_in_hand() -> None:
    hand = CandlesInHand()
    hand.put(KRAKEN, span(0, 5), flat([1]))
    hand.clear()

    assert hand.candles(KRAKEN, Interval(ms(0), ms(5))) is None
    assert hand.last_open_ms(KRAKEN, ms(5)) is None


def test_what_is_dropped_makes_room() -> None:
    hand = CandlesInHand(most_rows=10)
    hand.put(KRAKEN, span(0, 10), flat(range(10)))
    hand.drop(KRAKEN, span(0, 10))
    hand.put(BITSTAMP, span(0, 10), flat(range(10)))
    hand.shrink()

    assert hand.candles(KRAKEN, Interval(ms(0), ms(10))) is None
    assert hand.candles(BITSTAMP, Interval(ms(0), ms(10))) is not None


def test_a_piece_that_reaches_beyond_what_is_dropped_stays() -> None:
    hand = CandlesInHand()
    hand.put(KRAKEN, span(0, 10), flat([3]))
    hand.drop(KRAKEN, span(2, 10))

    assert hand.candles(KRAKEN, Interval(ms(0), ms(10))) is not None
