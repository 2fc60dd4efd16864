"""Work on other threads: results in order, little ahead, failures after what came before."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from candle_ingestor.operations.side_by_side import side_by_side


def test_results_come_in_the_order_of_the_work_and_are_made_on_other_threads() -> None:
    def work() -> Iterator[Callable[[], tuple[int, bool]]]:
        for number in range(50):
            yield partial(lambda number: (number, threading.current_thread() is here), number)

    here = threading.current_thread()
    assert list(side_by_side(work())) == [(number, False) for number in range(50)]


def test_the_work_is_asked_for_at_most_a_piece_a_core_and_one_ahead() -> None:
    asked = 0

    def work() -> Iterator[Callable[[], int]]:
        nonlocal asked
        for number in range(50):
            asked += 1
            yield partial(int, number)

    for number in side_by_side(work()):
        assert asked <= number + 1 + (os.cpu_count() or 1)


def test_a_failure_comes_after_all_results_before_it_and_nothing_comes_after() -> None:
    def failing() -> int:
        raise ValueError("the fourth")

    work: list[Callable[[], int]] = [
        *(partial(int, number) for number in range(3)),
        failing,
        failing,
    ]
    results = side_by_side(iter(work))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(results)
    assert list(results) == []
