"""What a dry run found out, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from candle_ingestor.commands.saying import say
from candle_ingestor.errors import CandleIngestorError, DependencyError
from candle_ingestor.exchanges.errors import ExchangeError, words_without


@dataclass
class Checks:
    """PASS and FAIL lines, and the exit code that they come to (rule F3)."""

    console: Console
    exit_code: int = field(default=0, init=False)

    def passed(self, what: str) -> None:
        self._print("green", "PASS", what)

    def failed(self, what: str, error: CandleIngestorError) -> None:
        """Keeps the gravest exit code: 3, a dependency is down, over 2, bad configuration."""
        message = str(error)
        self._print("red", "FAIL", message if message.startswith(what) else f"{what}: {message}")
        self.exit_code = max(self.exit_code, error.exit_code)

    def exchange_failed(self, what: str, exchange: str, error: ExchangeError) -> None:
        """The failure of an exchange that `what` names."""
        self.failed(what, DependencyError(words_without(exchange, error)))

    def skipped(self, what: str, advice: str) -> None:
        """What could not be checked, since something else failed."""
        self._print("yellow", "SKIP", f"{what}; {advice}")

    def warned(self, what: str) -> None:
        """What would work, and not as one may think."""
        self._print("yellow", "WARN", what)

    def noted(self, what: str) -> None:
        """Something to know about the line before."""
        self._print("yellow", "    ", what)

    def _print(self, colour: str, verdict: str, words: str) -> None:
        say(self.console, Text.assemble((verdict, colour), f"  {words}"))
