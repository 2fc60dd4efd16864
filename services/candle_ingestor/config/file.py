"""A TOML file of flags."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import did_you_mean, quoted

CONFIG_FLAG = "--config"

FileValue = str | int | float | bool


def read_config_file(path: Path, names: Collection[str]) -> dict[str, FileValue]:
    """The values by flag name, lists joined by commas and dates as ISO text.

    `names` are the flags that there are. Nothing of a value is repeated in a message, since it
    may be a secret.

    Raises:
        ConfigurationError: if the file cannot be read, is no TOML, or says something that no flag
            says.
    """
    where = f"{CONFIG_FLAG}={path}"
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{where} is not UTF-8 text: {error.reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is no TOML: {error}") from error
    unknown = [key for key in table if key not in names]
    if unknown:
        raise ConfigurationError(f"{where}: {'; '.join(_unknown(key, names) for key in unknown)}")
    return {key: _value(value, f"{where}: {key}") for key, value in table.items()}


def _unknown(key: str, names: Collection[str]) -> str:
    word = key.strip("-").replace("-", "_")
    hint = did_you_mean(word, names, "docs/flags.md lists the flags")
    return f"no flag is called {quoted(key)}; {hint}"


def _value(value: object, where: str) -> FileValue:
    if isinstance(value, list):
        items = [_value(item, where) for item in value]
        if not all(isinstance(item, str) and "," not in item for item in items):
            raise ConfigurationError(f"{where} must be a list of texts in quotes, without commas")
        return ",".join(str(item) for item in items)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    raise ConfigurationError(f"{where} is a table; write a text, a number, true, false or a list")
