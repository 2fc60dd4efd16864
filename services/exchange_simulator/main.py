"""`python -m exchange_simulator`: flags to a running simulator."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from absl import flags

from exchange_simulator.clock import SimulatorClock
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.dialects import DIALECTS
from exchange_simulator.faults import FAULT_KINDS, Fault
from exchange_simulator.simulator import ExchangeSimulator
from exchange_simulator.traits import DEFAULT_SYMBOLS

__all__ = ["main"]

EXIT_DONE = 0
EXIT_BAD_CONFIGURATION = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    values = _define_flags()
    try:
        rest = values(["exchange_simulator", *(sys.argv[1:] if arguments is None else arguments)])
        given = values.flag_values_dict()
        if given["help"]:
            print(f"{__doc__}\n\nflags:\n{values.get_help()}")
            return EXIT_DONE
        if len(rest) > 1:
            raise ValueError(f"not a flag: {rest[1]!r}")
        clock = SimulatorClock(_time_ms(given["now"]), frozen=given["freeze_clock"])
        simulator = ExchangeSimulator(_config(given), clock=clock)
        settings_out = given["settings_out"]
        asyncio.run(_serve(simulator, Path(settings_out) if settings_out else None))
    except (flags.Error, ValueError, OSError) as error:
        print(f"exchange_simulator: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_CONFIGURATION
    return EXIT_DONE


async def _serve(simulator: ExchangeSimulator, settings_out: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with simulator:
        if settings_out is not None:
            simulator.write_settings(settings_out)
        print(f"listening on {simulator.url}", flush=True)
        await stop.wait()


def _define_flags() -> flags.FlagValues:
    """Flags of their own, so that a process that also has the job's flags sees no clash."""
    values = flags.FlagValues()  # type: ignore[no-untyped-call]
    flags.DEFINE_bool("help", False, "Show this and leave.", flag_values=values, short_name="h")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.", flag_values=values)
    flags.DEFINE_integer("port", 0, "Port to listen on; 0 takes any free one.", flag_values=values)
    flags.DEFINE_string(
        "settings_out",
        None,
        "Write the exchange settings file that sends the job here.",
        flag_values=values,
    )
    flags.DEFINE_list("exchanges", list(DIALECTS), "Exchanges to simulate.", flag_values=values)
    flags.DEFINE_list(
        "symbols", list(DEFAULT_SYMBOLS), "Symbols of the synthetic market.", flag_values=values
    )
    flags.DEFINE_integer(
        "seed", 0, "Seed of the synthetic market and of the faults.", flag_values=values
    )
    flags.DEFINE_integer(
        "synthetic_days",
        None,
        "Let the synthetic market begin at UTC midnight so many days before the start; "
        "by default it goes back to each asset's listing.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "listed_since",
        [],
        "BASE:TIME, when an asset of the synthetic market was listed (repeatable).",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "recordings",
        [],
        "Directory of recorded markets, EXCHANGE_BASE-QUOTE.csv.gz (repeatable).",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "shift_to_now",
        False,
        "Shift each directory of recordings by whole candles so that it ends now.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "fault",
        [],
        "EXCHANGE:KIND:RATE of requests for candles (repeatable); EXCHANGE may be all, KIND is "
        f"one of {', '.join(FAULT_KINDS)}.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "now",
        None,
        "Start of the simulator's own clock, an ISO 8601 time (UTC where it names no zone) or "
        "milliseconds since 1970; the machine's time by default.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "freeze_clock",
        False,
        "Let the clock stand still but for POST /_clock.",
        flag_values=values,
    )
    return values


def _config(given: Mapping[str, Any]) -> SimulatorConfig:
    return SimulatorConfig(
        host=given["host"],
        port=given["port"],
        exchanges=tuple(given["exchanges"]),
        seed=given["seed"],
        symbols=tuple(given["symbols"]),
        synthetic_days=given["synthetic_days"],
        listed_since_ms=dict(map(_listed_since, given["listed_since"])),
        recordings=tuple(map(Path, given["recordings"])),
        shift_to_now=given["shift_to_now"],
        faults=tuple(map(Fault.parse, given["fault"])),
    )


def _listed_since(text: str) -> tuple[str, int]:
    base, _, time = text.partition(":")
    time_ms = _time_ms(time or None)
    if not base or time_ms is None:
        raise ValueError(f"--listed_since is BASE:TIME, not {text!r}")
    return base.upper(), time_ms


def _time_ms(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdecimal() and len(text) > 8:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"not an ISO 8601 time or milliseconds since 1970: {text!r}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)
