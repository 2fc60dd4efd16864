"""SIGTERM and Ctrl-C: a command finishes what is in hand and leaves."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from candle_ingestor.operations.stopping import StopSignal

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals(loop: asyncio.AbstractEventLoop | None, stop: StopSignal) -> Iterator[None]:
    """Within the context, SIGTERM and SIGINT ask `stop` for an urgent stop.

    `loop` is the event loop that `stop` belongs to; None where there is none. To be entered on
    the main thread, the only one that hears of signals. Afterwards signals do what they did.
    """
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if loop is None:
            signal.signal(number, partial(_ask_on_a_thread, stop))
        else:
            loop.add_signal_handler(number, _ask_to_stop, stop, number)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            if loop is not None:
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _ask_on_a_thread(stop: StopSignal, number: int, frame: FrameType | None) -> None:
    # The code that the signal interrupts may hold a lock of the stop's, or of a log's.
    threading.Thread(target=_ask_to_stop, args=(stop, number), name="stop-on-signal").start()


def _ask_to_stop(stop: StopSignal, number: int) -> None:
    name = signal.Signals(number).name
    log.warning("%s: finishing what is in hand, then leaving", name)
    stop.request(name, is_urgent=True)
