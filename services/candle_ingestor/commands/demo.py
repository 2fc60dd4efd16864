"""The command demo: the real job against simulated exchanges, with nothing to set up."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from candle_ingestor.commands.ingest import ingest
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.operations.clock import SystemClock
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.simulator import running_simulator

FOLDER = Path("data/demo")

SETTINGS: Mapping[str, Any] = {
    "symbols": "BTC/USD,ETH/USD,SOL/USD",
    "exchanges": ["coinbaseexchange", "bitstamp", "binanceus"],
    "backfill_start_date": "2_days_ago",
    "catch_up_initial_days": 1.0,
    "sqlite_path": str(FOLDER / "candles.sqlite"),
    "data_root": str(FOLDER / "csv"),
    "run_report_path": str(FOLDER / "run_report.json"),
    # Each demo's exchanges have an address of their own.
    "markets_cache_hours": 0.0,
}
"""What the demo sets of the job's flags, where the user does not."""


class DemoFlags:
    """Flag values with the demo's in place of the defaults."""

    def __init__(self, values: flags.FlagValues, settings_path: Path) -> None:
        self._values = values
        self._settings = {**SETTINGS, "exchange_settings_file": str(settings_path)}

    def __getattr__(self, name: str) -> Any:
        if name in self._settings and not self._values[name].present:
            return self._settings[name]
        return getattr(self._values, name)


def demo(values: flags.FlagValues, console: Console) -> int:
    """Runs the job against a seeded market and says where its results are.

    Returns:
        The job's exit code.
    """
    console.print(
        "Simulated exchanges, the real job: three symbols on three exchanges since two days ago, "
        "with an outage and a bad print a day."
    )
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder, running_simulator(SimulatorConfig()) as simulator:
        settings_path = simulator.write_settings(Path(folder) / "exchanges.toml")
        config = config_from_flags(DemoFlags(values, settings_path), {})
        config.candles.resolved(clock.now_ms())
        exit_code = ingest(config, clock, console)
    _print_where(config, console)
    return exit_code


def _print_where(config: Config, console: Console) -> None:
    console.print(
        "\nWhere to look:\n"
        f"  {config.export.data_root}  monthly CSV of scaled integers, with manifest.json\n"
        f"  {config.store.sqlite_path}  candles, exchange_candles, coverage, runs\n"
        f"  {config.run.run_report_path}  the report above, for machines\n"
        "Run it again: only what is new is fetched.",
        highlight=False,
        soft_wrap=True,
    )
