import logging
import threading

import pytest

from candle_ingestor.operations.progress import (
    NoProgress,
    ProgressLines,
    ToldProgress,
    duration_words,
)
from candle_ingestor.operations.ticking import ticking

PATIENCE_SECONDS = 20


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(clock: Clock) -> ToldProgress:
    """100 candles of kraken and 1,000 of bitstamp, not begun."""
    progress = ToldProgress(seconds=clock)
    progress.begin("Fetching candles", {"kraken": 100, "bitstamp": 1000})
    return progress


def test_the_time_left_is_that_of_the_slowest_part(told: ToldProgress, clock: Clock) -> None:
    clock.now += 10
    told.advance("kraken", 10)
    told.advance("bitstamp", 500)

    assert told.seen().time_left() == "about 1 min 30 s left, for kraken"


def test_no_time_left_is_made_up_while_a_part_has_shown_no_pace(
    told: ToldProgress, clock: Clock
) -> None:
    clock.now += 10
    told.advance("bitstamp", 500)

    assert told.seen().time_left() == "10 s so far"


def test_what_took_no_work_makes_nothing_look_faster(told: ToldProgress, clock: Clock) -> None:
    clock.now += 10
    told.advance("kraken", 100)
    told.advance("bitstamp", 800, is_work=False)
    told.advance("bitstamp", 10)
    bitstamp = told.seen().parts[1]

    assert (bitstamp.done, bitstamp.per_second, bitstamp.seconds_left) == (810, 1.0, 190.0)


def test_the_pace_is_that_of_the_last_minute(told: ToldProgress, clock: Clock) -> None:
    for candles in [1] * 10 + [5] * 10:
        clock.now += 10
        told.advance("bitstamp", candles)
        told.seen()

    assert told.seen().parts[1].per_second == pytest.approx(0.5)


def test_who_stands_still_for_long_has_ever_more_time_left(
    told: ToldProgress, clock: Clock
) -> None:
    clock.now += 10
    told.advance("kraken", 50)
    left = []
    for _ in range(4):
        left.append(told.seen().parts[0].seconds_left)
        clock.now += 100

    assert left == [10, 110, 210, 310]


def test_a_part_that_is_done_has_no_time_left_however_little_it_was(clock: Clock) -> None:
    progress = ToldProgress(seconds=clock)
    progress.begin("Fetching candles", {"kraken": 1, "bitstamp": 0})
    progress.advance("kraken", 1)

    assert [part.seconds_left for part in progress.seen().parts] == [0, 0]


def test_a_note_stands_until_the_part_advances(told: ToldProgress) -> None:
    told.note("kraken", "looking for the first candle of BTC/USD")
    assert told.seen().parts[0].note == "looking for the first candle of BTC/USD"

    told.advance("kraken", 1)
    assert told.seen().parts[0].note == ""


def test_another_phase_begins_anew(told: ToldProgress, clock: Clock) -> None:
    told.advance("kraken", 100)
    clock.now += 5
    told.begin("Accounting for every minute")
    clock.now += 3
    told.advance("kraken", 100)  # What comes late is no part of it.
    seen = told.seen()

    assert (seen.phase, seen.parts, seen.time_left()) == (
        "Accounting for every minute",
        (),
        "3 s so far",
    )


def test_a_run_that_is_told_to_stop_says_so_in_place_of_a_time_left(clock: Clock) -> None:
    progress = ToldProgress(lambda: True, clock)
    progress.begin("Fetching candles", {"kraken": 10})

    assert progress.seen().time_left() == "stopping, as soon as what is in hand is finished"


def test_a_line_tells_each_part_and_the_one_time_left(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress = ProgressLines(seconds=clock)
    progress.tell()
    progress.begin("Fetching candles", {"kraken": 1286, "bitstamp": 5, "okx": 10})
    clock.now += 20
    progress.advance("kraken", 60)
    progress.advance("bitstamp", 5)
    progress.note("okx", "looking for the first candle of BTC/USD")
    progress.tell()
    progress.advance("okx", 8)
    progress.tell()

    assert [record.getMessage() for record in caplog.records] == [
        (
            "Fetching candles: kraken 60 of 1,286 (3.0/s); bitstamp 5 of 5 (done); "
            "okx 0 of 10 (looking for the first candle of BTC/USD); 20 s so far"
        ),
        (
            "Fetching candles: kraken 60 of 1,286 (3.0/s); bitstamp 5 of 5 (done); "
            "okx 8 of 10 (0.4/s); about 6 min 49 s left, for kraken"
        ),
    ]


def test_no_progress_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with NoProgress() as progress:
        progress.begin("Fetching candles", {"kraken": 10})
        progress.note("kraken", "waiting")
        progress.advance("kraken", 10, is_work=False)

    assert not caplog.records


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (463, "7 min 43 s"),
        (3600, "1 h 0 min"),
        (2 * 3600 + 5 * 60 + 59, "2 h 5 min"),
        (24 * 3600, "1 d 0 h"),
        (100 * 3600, "4 d 4 h"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_something_is_done_every_so_often_until_the_context_ends() -> None:
    threads: list[str] = []
    is_often = threading.Event()

    def act() -> None:
        threads.append(threading.current_thread().name)
        if len(threads) == 3:
            is_often.set()

    with ticking(0.001, act):
        assert is_often.wait(PATIENCE_SECONDS)
    before = len(threads)

    assert set(threads) == {"progress"}
    assert "progress" not in {thread.name for thread in threading.enumerate()}
    assert len(threads) == before
