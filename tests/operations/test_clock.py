import time
from collections.abc import Callable

import pytest

from candle_ingestor.operations.clock import SystemClock

SetMachine = Callable[[float], None]


@pytest.fixture
def set_machine(monkeypatch: pytest.MonkeyPatch) -> SetMachine:
    def set_to(milliseconds: float) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: round(milliseconds * 1_000_000))

    return set_to


def test_the_clock_is_the_machine_s(set_machine: SetMachine) -> None:
    clock = SystemClock()
    set_machine(1_700_000_000_123.9)

    assert clock.now_ms() == 1_700_000_000_123


def test_a_clock_that_starts_at_another_time_ticks_on_with_the_machine(
    set_machine: SetMachine,
) -> None:
    set_machine(1_700_000_000_000)
    clock = SystemClock(1_000)
    assert clock.now_ms() == 1_000

    set_machine(1_700_000_060_500)
    assert clock.now_ms() == 61_500
    assert isinstance(clock.now_ms(), int)


def test_a_clock_may_start_at_the_epoch(set_machine: SetMachine) -> None:
    set_machine(1_700_000_000_000)

    assert SystemClock(0).now_ms() == 0
