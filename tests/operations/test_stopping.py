import asyncio
import time

import pytest

from candle_ingestor.errors import ConfigurationError, DependencyError
from candle_ingestor.operations.run_lock import RunLockLostError
from candle_ingestor.operations.stopping import StopSignal


async def test_nothing_is_to_stop_until_it_is_asked_for() -> None:
    stop = StopSignal()

    assert not stop.is_set()
    assert not stop.is_urgent
    assert stop.reason is None
    assert stop.seconds_left() is None


async def test_the_first_reason_is_kept() -> None:
    stop = StopSignal()
    stop.request("--fail_fast")
    stop.request("SIGTERM", is_urgent=True)

    assert stop.is_set()
    assert stop.reason == "--fail_fast"
    assert stop.is_urgent
    assert stop.seconds_left() == 0


async def test_a_stop_that_is_not_urgent_stays_so() -> None:
    stop = StopSignal()
    stop.request("--fail_fast")

    assert not stop.is_urgent


async def test_a_time_limit_stops_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stop = StopSignal(limit_seconds=30)

    assert stop.seconds_left() == 30
    now = 129.0
    assert stop.seconds_left() == 1
    assert not stop.is_set()
    now = 130.0
    assert stop.is_set()
    assert stop.reason == "time limit"
    assert stop.seconds_left() == 0
    assert not stop.is_urgent


async def test_no_limit_is_no_limit() -> None:
    assert StopSignal(0).seconds_left() is None


async def test_a_sleep_ends_with_the_stop() -> None:
    stop = StopSignal()
    sleeping = asyncio.create_task(stop.sleep(3600))
    await asyncio.sleep(0)
    assert not sleeping.done()

    stop.request("SIGTERM", is_urgent=True)

    await asyncio.wait_for(sleeping, timeout=5)


async def test_a_sleep_ends_with_the_time_limit() -> None:
    stop = StopSignal(limit_seconds=0.05)

    await asyncio.wait_for(stop.sleep(3600), timeout=5)

    assert stop.is_set()


@pytest.mark.parametrize("seconds", [0, -1, 0.001])
async def test_a_short_sleep_ends_by_itself(seconds: float) -> None:
    stop = StopSignal()

    await asyncio.wait_for(stop.sleep(seconds), timeout=5)

    assert not stop.is_set()


async def test_after_the_stop_no_sleep_sleeps() -> None:
    stop = StopSignal()
    stop.request("SIGTERM", is_urgent=True)

    await asyncio.wait_for(stop.sleep(3600), timeout=5)


async def in_hand(stop: StopSignal, done: asyncio.Event) -> str:
    async with stop.in_hand():
        await done.wait()
        return "finished"


async def test_what_is_in_hand_may_finish_within_its_grace() -> None:
    stop, done = StopSignal(grace_seconds=60), asyncio.Event()
    task = asyncio.create_task(in_hand(stop, done))
    await asyncio.sleep(0)

    stop.request("SIGTERM", is_urgent=True)
    await asyncio.sleep(0)
    done.set()

    assert await task == "finished"


async def test_what_is_in_hand_is_given_up_after_its_grace() -> None:
    stop, never = StopSignal(grace_seconds=0.01), asyncio.Event()
    tasks = [asyncio.create_task(in_hand(stop, never)) for _ in range(3)]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in tasks)

    stop.request("SIGTERM", is_urgent=True)
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=5)

    assert all(isinstance(result, TimeoutError) for result in results)


async def test_what_is_begun_after_the_stop_has_the_grace_only() -> None:
    stop = StopSignal(grace_seconds=0.01)
    stop.request("SIGTERM", is_urgent=True)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_hand(stop, asyncio.Event()), timeout=5)


async def test_the_time_limit_gives_up_what_is_in_hand_as_well() -> None:
    stop = StopSignal(limit_seconds=0.01, grace_seconds=0.01)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_hand(stop, asyncio.Event()), timeout=5)


async def test_an_error_of_what_is_in_hand_passes() -> None:
    stop = StopSignal()

    with pytest.raises(ZeroDivisionError):
        async with stop.in_hand():
            raise ZeroDivisionError
    stop.request("SIGTERM", is_urgent=True)


async def test_a_blocking_wait_ends_with_the_stop_or_soon_after() -> None:
    stop = StopSignal(grace_seconds=0.1)
    waiting = asyncio.create_task(asyncio.to_thread(stop.wait, 3600))
    await asyncio.sleep(0)
    assert not stop.is_grace_over()

    stop.request("SIGTERM", is_urgent=True)
    await waiting
    stop.wait(3600)
    assert stop.is_grace_over()


def test_the_grace_of_a_time_limit_begins_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stop = StopSignal(limit_seconds=30, grace_seconds=5)

    now = 134.0
    assert not stop.is_grace_over()
    now = 135.0
    assert stop.is_grace_over()


def test_without_limit_and_stop_no_grace_ends() -> None:
    assert not StopSignal().is_grace_over()


async def test_several_in_hand_whose_grace_ends_together_are_all_given_up() -> None:
    stop = StopSignal(0.01, grace_seconds=0.01)

    async def stalled() -> None:
        try:
            async with stop.in_hand():
                await asyncio.Event().wait()
        finally:
            # Whoever leaves first finds that the time is over, while the others are expiring.
            stop.is_set()

    ended = await asyncio.gather(*(stalled() for _ in range(4)), return_exceptions=True)

    assert [type(each) for each in ended] == [TimeoutError] * 4


def test_what_is_given_up_for_want_of_time_names_the_time_limit() -> None:
    stop = StopSignal(60)
    stop.note_cut_short()

    assert stop.reason == "time limit"
    assert not stop.is_set()


def notes_of(stop: StopSignal, error: Exception) -> list[str]:
    with pytest.raises(type(error)) as raised, stop.named_in_errors():
        raise error
    return getattr(raised.value, "__notes__", [])


def test_what_was_not_waited_for_any_longer_names_the_stop() -> None:
    stop = StopSignal()
    assert notes_of(stop, DependencyError("down")) == []

    stop.request("SIGTERM", is_urgent=True)
    [note] = notes_of(stop, DependencyError("down"))
    assert note.startswith("it was told to stop (SIGTERM), and did not wait any longer; ")
    assert notes_of(stop, ConfigurationError("wrong")) == []


def test_a_lost_run_lock_is_why_a_run_stops_and_was_not_cut_short_by_it() -> None:
    stop = StopSignal()
    stop.request("the loss of its run lock", is_urgent=True)

    assert notes_of(stop, RunLockLostError("lost")) == []


def test_so_does_what_a_time_limit_cut_short() -> None:
    [note] = notes_of(StopSignal(1e-9), DependencyError("down"))

    assert "(time limit)" in note
