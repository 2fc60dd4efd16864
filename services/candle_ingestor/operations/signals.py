"""SIGTERM and Ctrl-C: a command finishes what is in hand and leaves."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import NoReturn

from candle_ingestor.errors import INTERRUPTED
from candle_ingestor.operations.screen import standard_error
from candle_ingestor.operations.stopping import StopSignal

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)

_LONGEST_LEAVING_SECONDS = 2.0


@contextmanager
def stop_on_signals(loop: asyncio.AbstractEventLoop | None, stop: StopSignal) -> Iterator[None]:
    """Within the context, SIGTERM and Ctrl-C ask `stop` for an urgent stop, and are answered.

    A second Ctrl-C ends the process at once. `loop` is the event loop that `stop` belongs to; None
    where there is none. To be entered on the main thread, the only one that hears of signals.
    Afterwards signals do what they did.
    """
    # The code that a signal interrupts may hold a lock: of the stop's, of a log's, of a thread that
    # begins. Putting into this queue takes none of them.
    heard: SimpleQueue[int | None] = SimpleQueue()
    answering = threading.Thread(target=_answer, args=(heard, loop, stop), name="signals")
    answering.daemon = True
    answering.start()
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda number, _: heard.put(number))
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        heard.put(None)
        answering.join()


def let_interrupts_end_waits() -> None:
    """From here on Ctrl-C ends a wait for input, as it does by itself in Python.

    polars sets a handler after which the system goes on waiting, so that nobody would be told.
    """
    signal.siginterrupt(signal.SIGINT, True)


def _answer(
    heard: SimpleQueue[int | None], loop: asyncio.AbstractEventLoop | None, stop: StopSignal
) -> None:
    while (number := heard.get()) is not None:
        is_first = stop.note_signal(number)
        if is_first:
            _ask_to_stop(loop, stop, number)
        elif number == signal.SIGINT:
            _leave_at_once()


def _ask_to_stop(loop: asyncio.AbstractEventLoop | None, stop: StopSignal, number: int) -> None:
    name = signal.Signals(number).name
    if number == signal.SIGINT:
        log.warning(
            "Stopping: finishing what is in hand. Ctrl-C again leaves at once; what is stored "
            "stays whole."
        )
    else:
        log.warning("Stopping (%s): finishing what is in hand. What is stored stays whole.", name)
    request = partial(stop.request, name, is_urgent=True)
    if loop is None:
        request()
    else:
        loop.call_soon_threadsafe(request)


def _leave_at_once() -> NoReturn:
    # Whatever another thread is stuck in, holding the log or the screen.
    limit = threading.Timer(_LONGEST_LEAVING_SECONDS, os._exit, [INTERRUPTED])
    limit.daemon = True
    limit.start()
    standard_error().hide()
    log.warning(
        "Left at once, without a report. What is stored is whole, and the same command goes on "
        "from there."
    )
    os._exit(INTERRUPTED)
