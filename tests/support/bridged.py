"""A store of few candles about a month's border, and the command export for other tools on it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
from flag_values import config
from minutes import EVERYTHING, KRAKEN, MERGED, ms, span
from rich.console import Console

from candle_ingestor.commands.export import export
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason, Reasons
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Precision
from candle_ingestor.operations.clock import SystemClock
from candle_ingestor.stores.sqlite.store import SqliteStore

GAP = span(-60, -50)
COVERED = span(-1500, 60) - GAP
IDLE = {-10, -9, 0}
"""Covered minutes without trade."""
NOW_MS = ms(100)

Row = tuple[int, str, str, str, str, str]
"""Open time, then open, high, low, close and volume as decimals."""


def rows() -> list[Row]:
    """What is stored of kraken. Floats of these decimals are none that a binary fraction is."""
    return [
        (
            ms(minute),
            _text(Decimal("0.07") + minute % 7),
            _text(Decimal("42000.51") + minute % 11),
            _text(Decimal("0.03")),
            _text(Decimal("0.1") + minute % 5),
            _text(Decimal("0.00000001") * (minute % 13) + 12_345_678 * (minute % 3)),
        )
        for minute in range(-1500, 60)
        if minute not in IDLE and not GAP.contains(ms(minute))
    ]


def _text(value: Decimal) -> str:
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


class BridgedStore:
    """The store, what was put into it, and exports of it. Merged from kraken alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self._path = folder / "candles.sqlite"
        self._store = SqliteStore(self._path)
        self.stored = rows()
        self.put(KRAKEN, self.stored, COVERED, {GapReason.FETCH_FAILED: GAP})

    def close(self) -> None:
        self._store.close()

    def put(
        self,
        series: Series,
        stored: list[Row],
        answered: IntervalSet | None = None,
        reasons: Reasons | None = None,
    ) -> None:
        """Candles of a series, in place of all that it had; covered from the first to the last."""
        values = [(row[0], *map(float, row[1:])) for row in stored]
        candles = pl.DataFrame(values, schema=EXCHANGE_CANDLES, orient="row")
        if answered is None:
            end_ms = stored[-1][0] + series.timeframe.duration_ms
            answered = IntervalSet.of(stored[0][0], end_ms)
        ledger = Ledger(self._store)
        ledger.replace(
            [
                Replacement(
                    series, IntervalSet((EVERYTHING,)), candles, answered, reasons=reasons or {}
                )
            ]
        )
        record = replace(ledger.record(series), precision=Precision(2, 8))
        ledger.update({series: record})

    def export(self, export_format: str, **flags: Any) -> tuple[int, str]:
        """The exit code of `export --export_format=...`, and what it printed."""
        values = {
            "symbols": "BTC/USD",
            "exchanges": ["kraken"],
            "store": "sqlite",
            "sqlite_path": str(self._path),
            "export_format": export_format,
            "output": str(self.output),
            "progress": "off",
        }
        output = StringIO()
        clock = SystemClock(NOW_MS)
        code = export(config(**values | flags), clock, Console(file=output, width=1000))
        return code, output.getvalue()

    def told(self, series: Series = MERGED) -> dict[str, Any]:
        """What gaps.json says of a series."""
        said = json.loads((self.output / "gaps.json").read_text())["series"]
        of_series = [each for each in said if each.items() >= series.fields.items()]
        assert len(of_series) == 1
        told: dict[str, Any] = of_series[0]
        return told

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Content and time of change of every file that was written."""
        return {
            str(path.relative_to(self.output)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.output.rglob("*"))
            if path.is_file()
        }
