"""The simulator's own clock: the machine's, or one that a test sets and moves on."""

import time

__all__ = ["SimulatorClock"]


class SimulatorClock:
    """UTC milliseconds, ticking with the machine's monotonic clock unless frozen.

    Safe to read and set from any thread.
    """

    def __init__(self, start_ms: int | None = None, *, frozen: bool = False) -> None:
        self._frozen = frozen
        # One tuple, so that a reader in another thread never sees half a change.
        self._origin = (0, 0)
        self.set(_machine_now_ms() if start_ms is None else start_ms)

    @property
    def frozen(self) -> bool:
        """Whether time stands still between `set` and `advance`."""
        return self._frozen

    def now_ms(self) -> int:
        """The simulated time now."""
        start_ms, started_ns = self._origin
        if self._frozen:
            return start_ms
        return start_ms + (time.monotonic_ns() - started_ns) // 1_000_000

    def set(self, now_ms: int) -> None:
        """Make it `now_ms`; a clock that is not frozen ticks on from there."""
        self._origin = (now_ms, time.monotonic_ns())

    def advance(self, milliseconds: int) -> None:
        """Move time on (or back, when negative)."""
        self.set(self.now_ms() + milliseconds)

    def freeze(self, frozen: bool = True) -> None:
        """Stop the clock at its present reading, or let it tick on from there."""
        now_ms = self.now_ms()
        self._frozen = frozen
        self.set(now_ms)


def _machine_now_ms() -> int:
    return time.time_ns() // 1_000_000
