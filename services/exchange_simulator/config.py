"""What a simulator serves and how; everything validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exchange_simulator.dialects import DIALECTS
from exchange_simulator.faults import Fault
from exchange_simulator.markets import parse_symbol
from exchange_simulator.traits import DEFAULT_SYMBOLS

__all__ = ["SimulatorConfig"]


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """The settings of a simulator.

    Without `recordings` it plays the synthetic market of `seed`: `symbols` on each of
    `exchanges` that lists their quote currency, back to each asset's listing time
    (`listed_since_ms` by base currency overrides it) or, with `synthetic_days`, to the UTC
    midnight that many days before the start. With `recordings` it lists the recorded markets
    only; `shift_to_now` lets each directory end at the start time.

    Raises ValueError: an unknown exchange, a malformed symbol, a number out of range, a
    setting of the synthetic market together with recordings or the other way round.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    exchanges: tuple[str, ...] = tuple(DIALECTS)
    seed: int = 0
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    synthetic_days: int | None = None
    listed_since_ms: Mapping[str, int] = field(default_factory=dict)
    recordings: tuple[Path, ...] = ()
    shift_to_now: bool = False
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"a port is from 0 to 65535, not {self.port}")
        if not self.exchanges:
            raise ValueError("no exchange to simulate")
        for exchange in self.exchanges:
            if exchange not in DIALECTS:
                raise ValueError(f"unknown exchange {exchange!r}; known: {', '.join(DIALECTS)}")
        if not self.symbols:
            raise ValueError("no symbol to trade")
        for symbol in self.symbols:
            parse_symbol(symbol)
        if self.synthetic_days is not None and self.synthetic_days < 1:
            raise ValueError(f"synthetic days are at least 1, not {self.synthetic_days}")
        if self.recordings and (
            self.synthetic_days is not None
            or self.symbols != DEFAULT_SYMBOLS
            or self.listed_since_ms
        ):
            raise ValueError(
                "symbols, synthetic days and listing times are the synthetic market's; "
                "recordings bring their own"
            )
        if self.shift_to_now and not self.recordings:
            raise ValueError("shifting to now needs recordings")
