"""One thread for everything that touches the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class StoreThread:
    """Runs calls one after the other beside the event loop, which stays free for exchanges.

    `is_loop_busy` says that the loop never waits but for these calls: then short ones run on it,
    since two threads that never wait take the interpreter's lock from each other all the time.
    """

    def __init__(self, *, is_loop_busy: bool = False) -> None:
        self._is_loop_busy = is_loop_busy
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(
        self,
        call: Callable[Arguments, Answer],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Answer:
        """The call's answer, or its exception. A call that has begun is always finished."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))

    async def run_briefly(
        self,
        call: Callable[Arguments, Answer],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Answer:
        """As `run`, of a call that takes less than a second and runs beside no other."""
        if not self._is_loop_busy:
            return await self.run(call, *args, **kwargs)
        await asyncio.sleep(0)
        return call(*args, **kwargs)

    def close(self) -> None:
        """Waits for the call in hand."""
        self._executor.shutdown(wait=True, cancel_futures=True)
