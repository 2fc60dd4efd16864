"""freqtrade and NautilusTrader read what export wrote: `make bridges` installs and runs this.

No package reads Lean's data (its own is the engine, in C#): its files are held against their
documented form in test_files_of_tools.
"""

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bridged import BridgedStore

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.bridges, pytest.mark.timeout(300)]


def read_by(tool: str, folder: Path) -> Any:
    """What the tool's own package reads of the folder."""
    python = ROOT / ".bridges" / tool / "bin/python"
    if not python.exists():
        pytest.skip(f"{tool} is not installed: make bridges")
    done = subprocess.run(
        [python, "-P", ROOT / "tools/bridges" / f"read_with_{tool}.py", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_freqtrade_reads_every_candle_as_it_is_stored(bridged: BridgedStore) -> None:
    assert bridged.export("freqtrade")[0] == 0
    assert read_by("freqtrade", bridged.output / "aggregated") == {
        "BTC/USD 1m": [[row[0], *map(float, row[1:])] for row in bridged.stored]
    }


def test_nautilus_reads_every_bar_with_its_digits(bridged: BridgedStore) -> None:
    assert bridged.export("nautilus", export_exchange_candles=True)[0] == 0
    found = read_by("nautilus", bridged.output)
    expected = [
        [
            (row[0] + 60_000) * 1_000_000,
            *(f"{Decimal(text):.2f}" for text in row[1:5]),
            f"{Decimal(row[5]):.8f}",
        ]
        for row in bridged.stored
    ]
    assert found == {
        "BTC/USD.AGGREGATED-1-MINUTE-LAST-EXTERNAL": expected,
        "BTC/USD.KRAKEN-1-MINUTE-LAST-EXTERNAL": expected,
    }
