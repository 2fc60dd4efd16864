"""What the demo sets of the job's flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path("data/demo")

SETTINGS: Mapping[str, Any] = {
    "symbols": "BTC/USD,ETH/USD,SOL/USD",
    "exchanges": ["coinbaseexchange", "bitstamp", "binanceus"],
    "backfill_start_date": "2_days_ago",
    "catch_up_initial_days": 1.0,
    "sqlite_path": str(FOLDER / "candles.sqlite"),
    "data_root": str(FOLDER / "csv"),
    "run_report_path": str(FOLDER / "run_report.json"),
    "output": str(FOLDER / "page.html"),
    # Each demo's exchanges have an address of their own.
    "markets_cache_hours": 0.0,
}
"""Values by flag, where the user gives none."""
