"""The lines of a dry run."""

from rich.console import Console

from candle_ingestor.commands.checks import Checks
from candle_ingestor.errors import DependencyError


def failure_line(what: str, message: str) -> str:
    console = Console(record=True, width=200)
    Checks(console).failed(what, DependencyError(message))
    return console.export_text().rstrip()


def test_what_a_message_names_itself_is_not_named_before_it() -> None:
    assert failure_line("Redis at h:1", "Redis at h:1 cannot be reached") == (
        "FAIL  Redis at h:1 cannot be reached"
    )
    assert failure_line("symbols", "the file is empty") == "FAIL  symbols: the file is empty"
