"""How many exchanges a minute needs (rule M1)."""

from __future__ import annotations

from collections.abc import Sequence

from candle_ingestor.errors import ConfigurationError


def resolve_minimum(exchanges: Sequence[str], min_exchanges_required: int) -> int:
    """The minimum that rule M1 makes of the flag: 0 means all exchanges given.

    Raises:
        ConfigurationError: if more are required than given, or the number is negative.
    """
    if min_exchanges_required < 0:
        raise ConfigurationError("--min_exchanges_required must be 0 (all given) or more")
    if min_exchanges_required > len(exchanges):
        raise ConfigurationError(
            f"--min_exchanges_required={min_exchanges_required} is more than the "
            f"{len(exchanges)} given by --exchanges={','.join(exchanges)}; "
            "require fewer or give more"
        )
    return min_exchanges_required or len(exchanges)
