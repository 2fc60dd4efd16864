"""Something done every so often, beside everything else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ticking(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Within the context, calls `act` every so many seconds, on a thread of its own."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(seconds):
            act()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
