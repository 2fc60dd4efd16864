"""docs/run_report.md describes every field of a real report, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from job_server import JobServer

from exchange_simulator import SimulatorConfig, running_simulator

PAGE = Path(__file__).parents[2] / "docs/run_report.md"
EXCHANGES = ("coinbaseexchange", "binance", "kraken")
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "integer": int,
    "number": (int, float),
    "true or false": bool,
    "list": list,
    "object": dict,
    "text or null": (str, type(None)),
    "object or null": (dict, type(None)),
}


def described() -> dict[str, str]:
    """The type of every field, by its path: `tickers[].exchanges.{exchange}.symbol`."""
    types = {}
    prefixes = [""]
    for line in PAGE.read_text().partition("## The JSON report")[2].splitlines():
        if line.startswith("### "):
            prefixes = re.findall(r"`([^`]+)`", line)
        elif line.startswith("|") and not line.startswith(("| field", "|---")):
            fields, kind, _ = (cell.strip() for cell in line.strip("|").split("|"))
            for prefix in prefixes:
                for name in re.findall(r"`([^`]+)`", fields) or [""]:
                    types[".".join(filter(None, (prefix, name)))] = kind
    return types


def fields_of(value: Any, paths: set[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """The value and all within it, by the paths that the page calls them."""
    yield path, value
    if isinstance(value, dict):
        by_name = [each for each in paths if re.fullmatch(re.escape(path) + r"\.\{\w+\}.*", each)]
        for key, inner in value.items():
            name = re.search(r"\{\w+\}", by_name[0][len(path) :]) if by_name else None
            yield from fields_of(
                inner, paths, ".".join(filter(None, (path, name.group() if name else key)))
            )
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, str):
                yield from fields_of(inner, paths, f"{path}[]")


def report_of_a_bad_run(job_server: JobServer, folder: Path, closed_port: int) -> dict[str, Any]:
    """Of a run in which all goes wrong that can: every list in it has something to list."""
    market = SimulatorConfig(exchanges=EXCHANGES, symbols=("BTC/USD", "BTC/USDT"))
    with running_simulator(market) as simulator:
        path = simulator.write_settings(folder / "exchanges.toml")
        nobody = f'\n[bitstamp]\nbase_url = "http://127.0.0.1:{closed_port}"\n'
        path.write_text(path.read_text() + nobody)
        process = job_server.start(
            [
                f"--exchange_settings_file={path}",
                f"--exchanges={','.join(EXCHANGES)},bitstamp",
                "--symbols=BTC/USD,DOGE/EUR,!!",
                "--quote_aliases=USD:USDT",
                # Kraken reaches back for half of it.
                "--backfill_start_date=1_days_ago",
                "--min_exchanges_required=3",
                "--max_price_deviation_pct=0.02",
                "--run_report_path=report.json",
            ],
            folder=folder,
            environment={},
        )
        _, errors = process.communicate()
    assert process.wait() == 1, errors
    told: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return told


def test_the_page_of_the_run_report_describes_a_real_one(
    job_server: JobServer, tmp_path: Path, closed_port: int
) -> None:
    report = report_of_a_bad_run(job_server, tmp_path, closed_port)
    types = described()
    found: set[str] = set()
    for path, value in fields_of(report, {*types}):
        # The root, and what an object or a list holds, where fields of it are described.
        is_holder = any(each.startswith(f"{path}.") for each in types) and path.endswith(("]", "}"))
        if path and not is_holder:
            assert path in types, f"{path} is not described"
            wanted = TYPES[types[path]]
            assert isinstance(value, wanted), f"{path} is {value!r}"
            assert isinstance(value, bool) == (wanted is bool), f"{path} is {value!r}"
            found.add(path)
    assert found == types.keys()
