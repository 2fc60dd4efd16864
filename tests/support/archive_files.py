"""Archive files as exchanges publish them, made in the test."""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Row = tuple[int, float, float, float, float, float]
"""Open time in ms, open, high, low, close, volume."""


def kraken_text(rows: Iterable[Row]) -> str:
    """Seconds, no header, a column of trades at the end."""
    return "".join(f"{row[0] // 1000},{_values(row)},3\n" for row in rows)


def binance_text(
    rows: Iterable[Row], *, timeframe_ms: int = 60_000, unit: int = 1, header: bool = False
) -> str:
    """Twelve columns; `unit` is how many of the unit of time are a ms."""
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    names += "taker_buy_volume,taker_buy_quote_volume,ignore\n"
    lines = [
        f"{row[0] * unit},{_values(row)},{(row[0] + timeframe_ms) * unit - 1},1.5,7,0.5,0.7,0\n"
        for row in rows
    ]
    return (names if header else "") + "".join(lines)


def write_zip(path: Path, members: Mapping[str, str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_checksum(path: Path, text: str | None = None) -> None:
    """What Binance publishes beside a file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = path.with_name(path.name + ".CHECKSUM")
    beside.write_text(f"{digest}  {path.name}\n" if text is None else text)


def rows_of(start_ms: int, count: int, *, step_ms: int = 60_000, price: float = 100.0) -> list[Row]:
    """A candle each step, each at a price of its own."""
    return [
        (
            start_ms + n * step_ms,
            price + n,
            price + n + 3.5,
            price + n - 0.25,
            price + n + 1,
            0.5 + n,
        )
        for n in range(count)
    ]


def _values(row: Row) -> str:
    return ",".join(f"{value!r}" for value in row[1:])
