"""Which column of an archive's rows is what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import did_you_mean, quoted

TIME = "time"
FIELDS = (TIME, "open", "high", "low", "close", "volume")
"""What a row needs to be a candle, in the order of EXCHANGE_CANDLES."""

PASSED_OVER = "_"

UNITS_PER_MS: Mapping[str, float] = {"s": 1 / 1000, "ms": 1, "us": 1000, "ns": 1_000_000}
"""How many of a unit of time are a millisecond."""


@dataclass(frozen=True)
class Layout:
    """Where in a row of an archive the fields of a candle are.

    Attributes:
        positions: the column of each of FIELDS, counted from 0.
        time_unit: `s`, `ms`, `us` or `ns`; None where each row is in ms or in us, by its size.
        width: how many columns a row has, where that is known. A row that was cut has fewer.
    """

    positions: tuple[int, ...]
    time_unit: str | None
    width: int | None = None

    def __str__(self) -> str:
        """Its columns as `parse_columns` takes them, whose time may lack a unit."""
        names = [PASSED_OVER] * (max(self.positions) + 1)
        for name, position in zip(FIELDS, self.positions, strict=True):
            names[position] = name
        unit = "" if self.time_unit is None else f":{self.time_unit}"
        return ",".join(f"{name}{unit}" if name == TIME else name for name in names)


KRAKEN = Layout((0, 1, 2, 3, 4, 5), "s", width=7)
"""Open time, open, high, low, close, volume, trades."""

BINANCE = Layout((0, 1, 2, 3, 4, 5), None, width=12)
"""Open time, open, high, low, close, volume, close time, quote volume, trades and three more. Open
times are in ms, those of spot files since 2025 in us."""


def parse_columns(text: str) -> Layout:
    """The layout that `time:s,open,high,low,close,volume` names.

    Columns stand in the file's order; `_` is one that is passed over. The unit of time is s, ms, us
    or ns.

    Raises:
        ConfigurationError: if a column is unknown, missing or named twice, or time has no unit.
    """
    unit = ""
    positions: dict[str, int] = {}
    for position, word in enumerate(text.split(",")):
        name, _, said_unit = word.strip().lower().partition(":")
        if name == PASSED_OVER and not said_unit:
            continue
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS, f"there are {', '.join(FIELDS)}, and _ for any other")
            raise _wrong(f"{quoted(word.strip())} is no column; {hint}")
        if name in positions:
            raise _wrong(f"{name} is named twice")
        if name == TIME:
            unit = said_unit
        elif said_unit:
            raise _wrong(f"{quoted(word.strip())}: only time has a unit")
        positions[name] = position
    missing = [name for name in FIELDS if name not in positions]
    if missing:
        raise _wrong(f"{', '.join(missing)} is missing; name every column of the file in its order")
    if unit not in UNITS_PER_MS:
        raise _wrong(f"time needs its unit, {' or '.join(UNITS_PER_MS)}, as in time:s")
    return Layout(tuple(positions[name] for name in FIELDS), unit)


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(f"--archive_columns: {what}")
