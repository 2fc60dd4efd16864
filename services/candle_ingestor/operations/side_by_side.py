"""Work on other threads, while the caller's thread prepares more of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def side_by_side(work: Iterator[Callable[[], Result]]) -> Iterator[Result]:
    """The results of some pieces of work, in their order, made on as many threads as there are
    cores.

    The iterator itself runs on the caller's thread, and is at most a piece a core and one ahead of
    the results. What it raises is raised at once; what a piece raises, after all results before it.
    """
    cores = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores) as threads:
        for piece in work:
            waiting.append(threads.submit(piece))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def one_by_one(work: Iterator[Callable[[], Result]]) -> Iterator[Result]:
    """The same results, each made where and when it is asked for."""
    return (piece() for piece in work)
