"""Which candle lengths are drawn, and in how few requests they are asked for."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from minutes import BITSTAMP, KRAKEN, MINUTE_MS, ms, spans

from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.verify.drawing import draw, requests_of

KNOWN = {KRAKEN: spans((0, 1000), (1203, 1207)), BITSTAMP: spans((500, 900))}
TOTAL = 1404

pairs = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 40)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=8,
)


def candles(drawn: dict[Series, IntervalSet]) -> int:
    return sum(intervals.duration_ms // MINUTE_MS for intervals in drawn.values())


def times(intervals: IntervalSet) -> Iterator[int]:
    for interval in intervals:
        yield from range(interval.start_ms, interval.end_ms, MINUTE_MS)


@given(kraken=pairs, bitstamp=pairs, wanted=st.integers(1, 500), seed=st.integers(0, 2**31))
def test_so_many_of_what_is_known_are_drawn_or_all_of_it(
    kraken: list[tuple[int, int]], bitstamp: list[tuple[int, int]], wanted: int, seed: int
) -> None:
    known = {KRAKEN: spans(*kraken), BITSTAMP: spans(*bitstamp)}
    total = candles(known)

    drawn = draw(known, wanted, seed)

    assert all(not intervals - known[series] for series, intervals in drawn.items())
    assert min(wanted, total) - 9 <= candles(drawn) <= min(wanted, total)
    assert all(drawn.values())
    assert draw(known, wanted, seed) == drawn
    if wanted >= total + 10:
        assert candles(drawn) == total


def test_every_candle_length_is_drawn_by_some_seed() -> None:
    seen: dict[Series, IntervalSet] = dict.fromkeys(KNOWN, EMPTY)
    for seed in range(400):
        for series, intervals in draw(KNOWN, 50, seed).items():
            seen[series] = seen[series] | intervals

    assert seen == KNOWN


@given(chosen=pairs.map(lambda found: spans(*found)), longest=st.integers(1, 50))
def test_few_requests_hold_all_that_is_chosen(chosen: IntervalSet, longest: int) -> None:
    requests = requests_of(chosen, longest * MINUTE_MS)

    assert not chosen - IntervalSet(requests)
    assert all(request.duration_ms <= longest * MINUTE_MS for request in requests)
    assert requests == sorted(requests)
    for before, after in pairwise(requests):
        assert before.end_ms <= after.start_ms
        assert any(before.end_ms <= time < after.end_ms for time in times(chosen))


def test_neighbours_share_a_request() -> None:
    chosen = spans((0, 10), (40, 50), (95, 105), (300, 310))

    assert [
        ((request.start_ms - ms(0)) // MINUTE_MS, (request.end_ms - ms(0)) // MINUTE_MS)
        for request in requests_of(chosen, 100 * MINUTE_MS)
    ] == [(0, 50), (95, 105), (300, 310)]
