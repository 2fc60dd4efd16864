"""What definitions of flags share."""

from __future__ import annotations

from typing import Any

from absl import flags

from candle_ingestor.model.timeframe import Timeframe


class MinutesParser(flags.IntegerParser):
    """Reads a length in minutes, written as `60`, `60m`, `1h` or `1d`."""

    syntactic_help = "a length such as 1, 60, 1m, 4h or 1d"

    def convert(self, argument: str | int) -> int:
        """The minutes; raises ValueError for what is no length."""
        if isinstance(argument, str) and not argument.removeprefix("-").isdecimal():
            try:
                return Timeframe.parse(argument).minutes
            except ValueError as error:
                raise ValueError(f"{error}; or a number of minutes") from error
        return Timeframe(int(argument)).minutes


def names_of(*holders: flags.FlagHolder[Any]) -> list[str]:
    """The names of these flags, in their order."""
    return [holder.name for holder in holders]
