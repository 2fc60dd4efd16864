import asyncio
import os
import signal
import threading
import time

import pytest

from candle_ingestor.operations.signals import SIGNALS, stop_on_signals
from candle_ingestor.operations.stopping import StopSignal

PATIENCE_SECONDS = 20


@pytest.mark.parametrize("number", SIGNALS)
def test_without_an_event_loop_a_signal_asks_for_an_urgent_stop(number: signal.Signals) -> None:
    stop = StopSignal(grace_seconds=0.01)

    with stop_on_signals(None, stop):
        os.kill(os.getpid(), number)
        stop.wait(PATIENCE_SECONDS)

    assert stop.is_set()
    assert stop.is_urgent
    assert stop.reason == number.name


@pytest.mark.parametrize("number", SIGNALS)
async def test_on_an_event_loop_a_signal_asks_for_an_urgent_stop(number: signal.Signals) -> None:
    stop = StopSignal()

    with stop_on_signals(asyncio.get_running_loop(), stop):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.sleep(3600), timeout=PATIENCE_SECONDS)

    assert stop.is_urgent
    assert stop.reason == number.name


def send_sigterm_after(event: threading.Event) -> None:
    event.wait()
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_comes_while_the_stop_is_being_asked_is_heard() -> None:
    """The main thread may hold the stop's own lock then, in many of the rounds."""
    for _ in range(100):
        stop = StopSignal(grace_seconds=0.0)
        until = time.monotonic() + PATIENCE_SECONDS
        with stop_on_signals(None, stop):
            is_asking = threading.Event()
            sender = threading.Thread(target=send_sigterm_after, args=(is_asking,))
            sender.start()
            while not stop.is_set() and time.monotonic() < until:
                stop.wait(0)
                is_asking.set()
            sender.join()
        assert stop.is_set()


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    with stop_on_signals(None, StopSignal()):
        assert [signal.getsignal(number) for number in SIGNALS] != before

    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_so_they_do_after_an_event_loop() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    with stop_on_signals(asyncio.get_running_loop(), StopSignal()):
        assert [signal.getsignal(number) for number in SIGNALS] != before

    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_command_without_an_event_loop_that_is_interrupted_ends_with_the_context() -> None:
    stop = StopSignal()
    rounds = 0

    with stop_on_signals(None, stop):
        while not stop.is_set():
            rounds += 1
            if rounds == 3:
                os.kill(os.getpid(), signal.SIGINT)
            stop.wait(0.01)

    assert rounds >= 3
    assert stop.seconds_left() == 0


@pytest.mark.parametrize("has_loop", [False, True])
async def test_a_stop_is_answered_once_however_often_sigterm_comes(
    caplog: pytest.LogCaptureFixture, *, has_loop: bool
) -> None:
    stop = StopSignal(grace_seconds=0.01)

    with stop_on_signals(asyncio.get_running_loop() if has_loop else None, stop):
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        if has_loop:
            await asyncio.wait_for(stop.sleep(3600), timeout=PATIENCE_SECONDS)
        else:
            stop.wait(PATIENCE_SECONDS)

    assert [record.getMessage() for record in caplog.records] == [
        "Stopping (SIGTERM): finishing what is in hand. What is stored stays whole."
    ]


def test_ctrl_c_after_sigterm_is_a_first_one(caplog: pytest.LogCaptureFixture) -> None:
    stop = StopSignal(grace_seconds=0.01)

    with stop_on_signals(None, stop):
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(PATIENCE_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(caplog.records) < 2 and time.monotonic() < until:
            stop.wait(0.01)

    assert stop.reason == "SIGTERM"
    assert "Ctrl-C again leaves at once" in caplog.records[1].getMessage()
