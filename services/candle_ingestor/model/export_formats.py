"""The forms that candles are exported in."""

from __future__ import annotations

CSV = "csv"
"""Monthly partitions below --data_root (rules E1 to E4)."""

TOOL_FORMATS = ("freqtrade", "nautilus", "lean")
"""The files that a tool of this name reads; below --output, by the command export only."""
