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
from types import FrameType
from typing import NoReturn

from candle_ingestor.operations.screen import standard_error
from candle_ingestor.operations.stopping import StopSignal

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)

LEFT_AT_ONCE = 130
"""The exit code after a second Ctrl-C, as of a shell's command that Ctrl-C ended."""

_LONGEST_LEAVING_SECONDS = 2.0


@contextmanager
def stop_on_signals(loop: asyncio.AbstractEventLoop | None, stop: StopSignal) -> Iterator[None]:
    """Within the context, SIGTERM and Ctrl-C ask `stop` for an urgent stop, and are answered.

    A second Ctrl-C ends the process at once. `loop` is the event loop that `stop` belongs to; None
    where there is none. To be entered on the main thread, the only one that hears of signals.
    Afterwards signals do what they did.
    """
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, partial(_hear, loop, stop))
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _hear(
    loop: asyncio.AbstractEventLoop | None,
    stop: StopSignal,
    number: int,
    frame: FrameType | None,
) -> None:
    is_second = stop.note_signal(number)
    if is_second and number != signal.SIGINT:
        return
    # The code that the signal interrupts may hold a lock of the stop's, or of a log's.
    answer = _leave_at_once if is_second else partial(_ask_to_stop, loop, stop, number)
    threading.Thread(target=answer, name="signal", daemon=True).start()


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
    limit = threading.Timer(_LONGEST_LEAVING_SECONDS, os._exit, [LEFT_AT_ONCE])
    limit.daemon = True
    limit.start()
    standard_error().hide()
    log.warning(
        "Left at once, without a report. What is stored is whole, and the same command goes on "
        "from there."
    )
    os._exit(LEFT_AT_ONCE)
