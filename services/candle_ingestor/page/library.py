"""The chart library as the page carries it: one file of a package that is installed beside ours.

The package litecharts ships TradingView's lightweight-charts as it was published; its lock has the
hash of the package.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

NAME = "TradingView Lightweight Charts™"
COPYRIGHT = "Copyright (c) 2025 TradingView, Inc."
HOME = "https://www.tradingview.com/"
LICENCE = "Apache License 2.0"
LICENCE_PAGE = "https://www.apache.org/licenses/LICENSE-2.0"


@cache
def library_script() -> str:
    """The library, with the notice of its licence at its head."""
    return files("litecharts").joinpath("js", "lightweight-charts.js").read_text(encoding="utf-8")
