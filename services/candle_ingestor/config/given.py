"""What flags say, and where they say nothing, the variables that stand in for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from candle_ingestor.config.origins import VARIABLES
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
    require_ca_file(source_of(name, values), Path(text))
    return Path(text)
