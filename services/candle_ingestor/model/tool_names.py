"""The tools that candles are exported for."""

from __future__ import annotations

TOOL_NAMES = ("freqtrade", "nautilus", "lean")
"""Each is a value of --export_format, of the command export, and has its files below --output."""
