"""What flags say, and where they say nothing, the variables that stand in for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from candle_ingestor.config.origins import VARIABLES
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.ca_file import require_ca_file


class FlagValues(Protocol):
    """Parsed flags, as attributes of their names."""

    def __getattr__(self, name: str) -> Any: ...


def text_of(name: str, values: FlagValues, environment: Mapping[str, str]) -> str | None:
    """The flag's text, else its variable's; None where both are unset or empty."""
    return getattr(values, name) or environment.get(VARIABLES[name]) or None


def source_of(name: str, values: FlagValues) -> str:
    """The flag, or the variable that stands in for it, as messages call it."""
    return f"--{name}" if getattr(values, name) else f"${VARIABLES[name]}"


def ca_file_of(name: str, values: FlagValues, environment: Mapping[str, str]) -> Path | None:
    """The file of certificates that the flag or its variable names.

    Raises:
        ConfigurationError: if it cannot be read, or holds no certificate.
    """
    text = text_of(name, values, environment)
    if text is None:
        return None
    path = path_of(text)
    require_ca_file(source_of(name, values), path)
    return path


def path_of(text: str) -> Path:
    """The path that a user wrote, with `~` for the home folder.

    A shell puts it in only where a word begins with it, and not behind the `=` of a flag.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def needed_path(name: str, text: str) -> Path:
    """The path that a flag gives; raises ConfigurationError if it is empty."""
    if not text.strip():
        raise ConfigurationError(f"--{name} is empty; give a path, or leave the flag out")
    return path_of(text)
