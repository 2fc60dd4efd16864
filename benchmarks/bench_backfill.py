"""Measures a backfill: its CPU time against bare ccxt's, its peak memory, and its pace.

Three exchanges with pages of 1000 candles each. The figures are ratios within this run, and a peak
of memory; the exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt_async
from measuring import Cost, at_most, best_of_each, cost_of_child
from simulated import DAY_MS, MINUTE_MS, PAGE_CANDLES, Simulator, iso_text, simulator

EXCHANGES = ("binanceus", "bitstamp", "binance")
MARKETS = {"binanceus": ["BTC/USD"], "bitstamp": ["BTC/USD"], "binance": ["BTC/USDT"]}
END_MS = 1_735_689_600_000  # 2025-01-01
NOW_MS = 1_738_368_000_000  # 2025-02-01

CPU_PAGES = 300
CPU_ROUNDS = 2
DAYS_IN_A_YEAR = 365

MOST_OF_BARE_CPU = 1.3
MOST_PEAK_MB = 300
MOST_OF_PACE_LIMIT = {400: 1.08, 1000: 1.05}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"cpu": measure_cpu, "memory": measure_memory, "pace": measure_pace}
    parser.add_argument("--only", choices=parts, action="append", help="measure this only")
    chosen = parser.parse_args().only or list(parts)
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(Path(folder), EXCHANGES, NOW_MS) as exchanges,
    ):
        results = [kept for part in chosen for kept in parts[part](Path(folder), exchanges)]
    return 0 if all(results) else 1


def measure_cpu(folder: Path, exchanges: Simulator) -> Iterator[bool]:
    """The job's CPU time against bare ccxt's for the same pages, pacing off."""
    days = days_of(CPU_PAGES)
    numbers = iter(range(100))
    bare = exchanges.bare(MARKETS, END_MS - days * DAY_MS, END_MS)
    # Before the first round the simulator makes its market, for both alike.
    cost_of_child(bare)
    bare_cost, job_cost = best_of_each(
        [
            lambda: cost_of_child(bare),
            lambda: backfill(folder / f"cpu-{next(numbers)}", exchanges, days),
        ],
        CPU_ROUNDS,
    )
    print(f"job {job_cost.cpu_seconds:.2f} s, bare ccxt {bare_cost.cpu_seconds:.2f} s of CPU")
    yield at_most(
        f"CPU, pacing off, 3 x {CPU_PAGES} pages, times bare ccxt",
        job_cost.cpu_seconds / bare_cost.cpu_seconds,
        MOST_OF_BARE_CPU,
    )


def measure_memory(folder: Path, exchanges: Simulator) -> Iterator[bool]:
    """The peak memory of a year of minutes of one symbol on three exchanges."""
    cost = backfill(folder / "memory", exchanges, DAYS_IN_A_YEAR)
    yield at_most("peak memory of a year of minutes, MB", cost.peak_mb, MOST_PEAK_MB)


def measure_pace(folder: Path, exchanges: Simulator) -> Iterator[bool]:
    """The job's duration against the least that ccxt's own pace of the slowest exchange allows."""
    # A market that the simulator makes in the meantime would keep the job waiting.
    longest_ms = days_of(max(MOST_OF_PACE_LIMIT)) * DAY_MS
    cost_of_child(exchanges.bare(MARKETS, END_MS - longest_ms, END_MS))
    for pages, bound in MOST_OF_PACE_LIMIT.items():
        least = max(seconds_per_page(exchange) for exchange in EXCHANGES) * pages
        cost = backfill(folder / f"pace-{pages}", exchanges, days_of(pages), is_paced=True)
        print(f"{cost.seconds:.1f} s; the slowest exchange's pace allows {least:.1f} s")
        yield at_most(
            f"duration, pacing on, 3 x {pages} pages, times the limit", cost.seconds / least, bound
        )


def backfill(folder: Path, exchanges: Simulator, days: int, *, is_paced: bool = False) -> Cost:
    return cost_of_child(
        exchanges.job(
            folder,
            ["BTC/USD"],
            NOW_MS,
            "--quote_aliases=USD:USDT",
            f"--backfill_start_date={iso_text(END_MS - days * DAY_MS)[:10]}",
            f"--backfill_end_date={iso_text(END_MS)[:10]}",
            is_paced=is_paced,
        )
    )


def days_of(pages: int) -> int:
    """How many days that many pages hold; a page repeats one candle."""
    return pages * (PAGE_CANDLES - 1) * MINUTE_MS // DAY_MS


def seconds_per_page(exchange: str) -> float:
    """ccxt's own delay between two pages."""
    client: Any = getattr(ccxt_async, exchange)()
    costs = {
        "binanceus": ("public", "klines"),
        "binance": ("public", "klines"),
        "bitstamp": ("public", "ohlc/{pair}/"),
    }
    section, path = costs[exchange]
    endpoint = client.describe()["api"][section]["get"][path]
    request = {"limit": PAGE_CANDLES}
    config = endpoint if isinstance(endpoint, dict) else {"cost": endpoint}
    cost = client.calculate_rate_limiter_cost([section], "GET", path, request, config)
    return float(client.rateLimit) * float(cost) / 1000


if __name__ == "__main__":
    sys.exit(main())
