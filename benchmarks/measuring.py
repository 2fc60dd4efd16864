"""What calls and child processes cost, and whether a figure keeps its bound."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a call or a child process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float = 0.0


def cost_of(call: Callable[[], object]) -> Cost:
    """What one call takes of this process."""
    started, cpu_started = time.perf_counter(), time.process_time()
    call()
    return Cost(time.perf_counter() - started, time.process_time() - cpu_started)


def best_of_each(calls: Sequence[Callable[[], Cost]], rounds: int) -> list[Cost]:
    """The best round of each call; the rounds alternate, so that other load hits all alike."""
    costs: list[list[Cost]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, of_call in zip(calls, costs, strict=True):
            of_call.append(call())
    return [
        Cost(
            min(cost.seconds for cost in of_call),
            min(cost.cpu_seconds for cost in of_call),
            max(cost.peak_mb for cost in of_call),
        )
        for of_call in costs
    ]


def cost_of_child(command: Sequence[str], environment: dict[str, str] | None = None) -> Cost:
    """What a command takes to its end. Exits if it fails, since there is nothing to measure then.

    `environment` is added to that of this process.
    """
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        child = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            output.seek(0)
            sys.exit(f"{command} failed: {output.read()[-2000:].decode()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, _peak_mb(usage))


def at_most(name: str, figure: float, bound: float) -> bool:
    """Prints a figure with its bound, and answers whether it keeps it."""
    return _judged(name, figure, bound, "at most", is_kept=figure <= bound)


def at_least(name: str, figure: float, bound: float) -> bool:
    """The same for a figure that is to be large."""
    return _judged(name, figure, bound, "at least", is_kept=figure >= bound)


def _judged(name: str, figure: float, bound: float, relation: str, *, is_kept: bool) -> bool:
    verdict = "ok  " if is_kept else "MISS"
    print(f"{verdict} {name}: {_number(figure)} ({relation} {bound:,g})", flush=True)
    return is_kept


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def _peak_mb(usage: resource.struct_rusage) -> float:
    per_mb = 1024 * 1024 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss / per_mb
