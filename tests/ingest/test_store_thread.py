"""Where calls to the store run."""

import threading

import pytest

from candle_ingestor.ingest.store_thread import StoreThread


@pytest.mark.parametrize("is_loop_busy", [False, True])
async def test_a_call_runs_beside_the_loop_unless_the_loop_never_waits(is_loop_busy: bool) -> None:
    thread = StoreThread(is_loop_busy=is_loop_busy)
    try:
        found = await thread.run_briefly(threading.current_thread)
        assert (found is threading.current_thread()) == is_loop_busy
        assert await thread.run(threading.current_thread) is not threading.current_thread()
    finally:
        thread.close()


@pytest.mark.parametrize("is_loop_busy", [False, True])
async def test_the_failure_of_a_call_is_the_caller_s(is_loop_busy: bool) -> None:
    thread = StoreThread(is_loop_busy=is_loop_busy)
    try:
        with pytest.raises(ZeroDivisionError):
            await thread.run_briefly(divmod, 1, 0)
    finally:
        thread.close()
