"""Configurations from flags and variables, in short."""

from types import SimpleNamespace
from typing import Any

import pytest

from candle_ingestor.config import Config, Origin, config_from_flags
from candle_ingestor.config.origins import VARIABLES
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.model.times import parse_time_ms

NOW_MS = parse_time_ms("2024-03-05T12:34:56Z")


def config(environment: dict[str, str] | None = None, **flags: Any) -> Config:
    names = [name for group in GROUPS.values() for name in group]
    values: Any = SimpleNamespace(**{name: FLAGS[name].default for name in names} | flags)
    environment = environment or {}
    origins = dict.fromkeys(names, Origin.DEFAULT)
    origins |= {n: Origin.ENVIRONMENT for n, v in VARIABLES.items() if environment.get(v)}
    origins |= dict.fromkeys(flags, Origin.FLAG)
    return config_from_flags(values, environment, origins)


def complaint(environment: dict[str, str] | None = None, **flags: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config(environment, **flags).candles.resolved(NOW_MS)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)
