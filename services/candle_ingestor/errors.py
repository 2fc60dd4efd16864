"""Failures that a user reads as one line, and the exit codes they lead to (rule F3)."""

from __future__ import annotations

from typing import ClassVar

SOME_TICKERS_FAILED = 1
"""The exit code of a command that went to its end and could not do all."""

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended where it stood, as shells have it."""


class CandleIngestorError(Exception):
    """Anything shown to a user as one line: what was wrong, where it came from, what to do.

    Attributes:
        exit_code: what the process ends with when the error reaches `main` (rule F3).
    """

    exit_code: ClassVar[int] = 1


class ConfigurationError(CandleIngestorError):
    """A flag, file or variable that asks for something impossible; permanent."""

    exit_code: ClassVar[int] = 2


class DependencyError(CandleIngestorError):
    """Redis, a store or another service that is down, or refuses what it is asked."""

    exit_code: ClassVar[int] = 3
