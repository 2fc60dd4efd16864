"""Progress of a command: what it is told, what follows from it, and log lines of it.

Bars are in progress_bars.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self

from candle_ingestor.operations.ticking import ticking

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0
_PACE_SECONDS = 60.0


class Progress(Protocol):
    """Hears what a command is at, how much that is, and how much of it is done.

    May be told on any thread. Being told costs next to nothing.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def begin(self, phase: str, expected: Mapping[str, int] | None = None) -> None:
        """Another phase begins, in words such as `Fetching candles`.

        `expected` is the whole amount of it by part, parts being worked on at once. None where
        it is not known.
        """

    def advance(self, part: str, amount: int, *, is_work: bool = True) -> None:
        """So much of the part is done. What took no work tells nothing of its pace."""

    def note(self, part: str, words: str) -> None:
        """What the part is at that is not counted, until it advances."""


class NoProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def begin(self, phase: str, expected: Mapping[str, int] | None = None) -> None:
        return None

    def advance(self, part: str, amount: int, *, is_work: bool = True) -> None:
        return None

    def note(self, part: str, words: str) -> None:
        return None


@dataclass(frozen=True)
class PartSeen:
    """How far one part is. `per_second` is None where it has no pace yet."""

    name: str
    done: int
    total: int
    per_second: float | None
    note: str

    @property
    def seconds_left(self) -> float | None:
        if self.done >= self.total:
            return 0.0
        return (self.total - self.done) / self.per_second if self.per_second else None


@dataclass(frozen=True)
class Seen:
    """How far a phase is, which has gone on for `seconds`."""

    phase: str
    seconds: float
    parts: tuple[PartSeen, ...] = ()
    is_stopping: bool = False

    @property
    def slowest(self) -> PartSeen | None:
        """The part that will be done last; None where that cannot be told yet of every part."""
        left = [part.seconds_left for part in self.parts]
        known = [seconds for seconds in left if seconds is not None]
        if not left or len(known) < len(left):
            return None
        return self.parts[left.index(max(known))]

    def time_left(self) -> str:
        """The time that the phase will still take, which is that of its slowest part, in words."""
        if self.is_stopping:
            return "stopping, as soon as what is in hand is finished"
        slowest = self.slowest
        if slowest is None:
            return f"{duration_words(self.seconds)} so far"
        left = f"about {duration_words(slowest.seconds_left or 0.0)} left"
        return left if len(self.parts) == 1 else f"{left}, for {slowest.name}"


@dataclass
class _Part:
    total: int
    began: float
    done: int = 0
    worked: int = 0
    note: str = ""
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def per_second(self, now: float) -> float | None:
        """The pace of the last minute, or of all the time if nothing came in it."""
        beginning = (self.began, 0)
        while len(self.samples) > 1 and now - self.samples[1][0] >= _PACE_SECONDS:
            self.samples.popleft()
        for since, worked in (self.samples[0] if self.samples else beginning, beginning):
            if now > since and self.worked > worked:
                return (self.worked - worked) / (now - since)
        return None

    def sample(self, now: float) -> None:
        if now - (self.samples[-1][0] if self.samples else self.began) >= 1:
            self.samples.append((now, self.worked))


class ToldProgress:
    """Keeps what progress is told. Who shows it begins that in `__enter__`, on `self._stack`.

    `seconds` is a clock that never goes back.
    """

    def __init__(
        self,
        is_stopping: Callable[[], bool] = lambda: False,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_stopping = is_stopping
        self._seconds = seconds
        self._lock = threading.Lock()
        self._phase = ""
        self._began = seconds()
        self._parts: dict[str, _Part] = {}
        self._stack = ExitStack()

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def begin(self, phase: str, expected: Mapping[str, int] | None = None) -> None:
        with self._lock:
            self._phase = phase
            self._began = now = self._seconds()
            self._parts = {name: _Part(total, now) for name, total in (expected or {}).items()}

    def advance(self, part: str, amount: int, *, is_work: bool = True) -> None:
        with self._lock:
            told = self._parts.get(part)
            if told is not None:
                told.done += amount
                told.worked += amount if is_work else 0
                told.note = ""

    def note(self, part: str, words: str) -> None:
        with self._lock:
            if part in self._parts:
                self._parts[part].note = words

    def seen(self) -> Seen:
        """How far it is now. Pace is measured between the calls of this."""
        with self._lock:
            now = self._seconds()
            parts = []
            for name, part in self._parts.items():
                pace = part.per_second(now)
                part.sample(now)
                parts.append(PartSeen(name, part.done, part.total, pace, part.note))
            return Seen(self._phase, now - self._began, tuple(parts), self._is_stopping())


class ProgressLines(ToldProgress):
    """A log line every half a minute, with pace and time left; none in a short run."""

    def __enter__(self) -> Self:
        self._stack.enter_context(ticking(SECONDS_BETWEEN_LINES, self.tell))
        return self

    def tell(self) -> None:
        """Writes the line."""
        seen = self.seen()
        if seen.phase:
            parts = "".join(f"{_part_words(part)}; " for part in seen.parts)
            log.info("%s: %s%s", seen.phase, parts, seen.time_left())


def duration_words(seconds: float) -> str:
    """`45 s`, `7 min 43 s`, `2 h 5 min` or `3 d 4 h`: two units at most."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 24 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // (24 * 3600)} d {whole % (24 * 3600) // 3600} h"


def count_words(part: PartSeen) -> str:
    """`40 of 120`."""
    return f"{part.done:,} of {part.total:,}"


def pace_words(part: PartSeen) -> str:
    """`2,766/s`, or `done`; empty where neither can be said."""
    if part.done >= part.total:
        return "done"
    if not part.per_second:
        return ""
    digits = 0 if part.per_second >= 10 else 1
    return f"{part.per_second:,.{digits}f}/s"


def _part_words(part: PartSeen) -> str:
    details = ", ".join(words for words in (pace_words(part), part.note) if words)
    return f"{part.name} {count_words(part)}" + (f" ({details})" if details else "")
