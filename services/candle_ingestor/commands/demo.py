"""The command demo: the real job against simulated exchanges, with nothing to set up."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shlex import quote
from typing import Any

from absl import flags
from rich.console import Console

from candle_ingestor.commands.demo_events import MarketEvents, events_of
from candle_ingestor.commands.demo_settings import SETTINGS
from candle_ingestor.commands.ingest import ingest
from candle_ingestor.commands.remedy_place import DEMO_AGAIN
from candle_ingestor.commands.report import write_page
from candle_ingestor.commands.saying import say, say_to_copy
from candle_ingestor.completeness.remedies import Place
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.config.origins import alternatives_of
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.texts import percent
from candle_ingestor.model.times import minute_text
from candle_ingestor.operations.clock import SystemClock
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.simulator import running_simulator

_NEXT = {
    "status": "how far each symbol is",
    "gaps": "what is missing, why, and what to do about it",
    "quality": "what looks wrong in the candles, such as outages and bad prints",
}
"""Commands that look at what the demo stored, and what they tell."""


class DemoFlags:
    """Flag values with the demo's in place of the defaults."""

    def __init__(self, values: flags.FlagValues, settings_path: Path) -> None:
        self._values = values
        self._settings = {**SETTINGS, "exchange_settings_file": str(settings_path)}

    def __getattr__(self, name: str) -> Any:
        is_given = any(self._values[each].present for each in (name, *alternatives_of(name)))
        if name in self._settings and not is_given:
            return self._settings[name]
        return getattr(self._values, name)


def demo(values: flags.FlagValues, console: Console) -> int:
    """Runs the job against a seeded market and says where its results are.

    Returns:
        The job's exit code.
    """
    say(
        console,
        "Simulated exchanges, the real job: three symbols on three exchanges since two days ago, "
        "with an outage and a bad print a day.",
    )
    clock = SystemClock()
    market = SimulatorConfig()
    with tempfile.TemporaryDirectory() as folder, running_simulator(market) as simulator:
        settings_path = simulator.write_settings(Path(folder) / "exchanges.toml")
        config = config_from_flags(DemoFlags(values, settings_path), {})
        now_ms = clock.now_ms()
        start_ms, _ = config.candles.resolved(now_ms)
        exit_code = ingest(config, clock, console)
    page = config.run.output
    assert page is not None
    write_page(config, clock, page, Place(only_command=_again(values)))
    if start_ms is not None:
        _print_events(events_of(market, config, Interval(start_ms, now_ms)), console)
    _print_where(config, page, console)
    return exit_code


def _again(values: flags.FlagValues) -> str:
    """The demo on the same store, as a line to copy."""
    given = (name for name in ("sqlite_path", "data_root") if values[name].present)
    return " ".join([DEMO_AGAIN, *(f"--{name}={quote(str(values[name].value))}" for name in given)])


def _print_events(events: MarketEvents, console: Console) -> None:
    lines = []
    if events.outage is not None:
        start, end = (minute_text(time_ms) for time_ms in events.outage.interval)
        lines.append(
            f"  {events.outage.exchange} had no trade to show from {start} to {end}. It answered, "
            "so this is no gap: the others made these minutes, as source_exchanges in candles says."
        )
    if events.bad_print is not None:
        bad = events.bad_print
        lines.append(
            f"  {bad.exchange} showed a high {percent(bad.above_pct)} too high for {bad.symbol} at "
            f"{minute_text(bad.open_time_ms)}. Its candle was left out of the merged one, and is "
            "kept in exchange_candles."
        )
    if lines:
        say(console, "\nWhat went wrong, as it does on real exchanges:")
        for line in lines:
            say(console, line)


def _print_where(config: Config, page: Path, console: Console) -> None:
    say(
        console,
        "\nWhere to look:\n"
        f"  {page}  all of it in your browser: charts, completeness, gaps"
        f"{'' if config.run.opens else ' (--open opens it)'}\n"
        f"  {config.export.data_root}  monthly CSV of scaled integers, with manifest.json\n"
        f"  {config.store.sqlite_path}  candles, exchange_candles, coverage, runs\n"
        f"  {config.run.run_report_path}  the report above, for machines",
    )
    place = f"--sqlite_path={quote(str(config.store.sqlite_path))}"
    say(console, "\nWhat to run next:")
    for command, told in _NEXT.items():
        say_to_copy(console, f"  ./candle-ingestor {command} {place}  # {told}")
    say(console, "Or the demo again: only what is new is fetched.")
