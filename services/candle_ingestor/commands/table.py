"""The commands. The modules of a command are loaded when it is run, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        help: what it does, in one line.
        path: `module:function`. The function takes (config, clock, console) and returns the exit
            code; that of demo takes (flag values, console).
    """

    help: str
    path: str

    def load(self) -> Callable[..., int]:
        """The function, with all its modules."""
        module, _, name = self.path.partition(":")
        function: Callable[..., int] = getattr(import_module(module), name)
        return function


COMMANDS = {
    "ingest": Command(
        "fetch what is missing, merge, store, export and report (the default)",
        "candle_ingestor.commands.ingest:ingest",
    ),
    "merge": Command(
        "recompute the merged series from the stored exchange candles, without a request",
        "candle_ingestor.commands.merge:merge",
    ),
    "export": Command(
        "write the CSV partitions again from the store",
        "candle_ingestor.commands.export:export",
    ),
    "demo": Command(
        "run the job against simulated exchanges into data/demo, with nothing to set up",
        "candle_ingestor.commands.demo:demo",
    ),
}

DRY_RUN = Command(
    "check what ingest needs, and write nothing", "candle_ingestor.commands.dry_run:dry_run"
)
"""In place of ingest under --run_mode=dry."""
