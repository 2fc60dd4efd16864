"""Measures the job against its own pace limit and against bare ccxt, and its peak memory.

Three exchanges with pages of 1000 candles each, served by the exchange simulator in a process of
its own. The figures are ratios within this run, and a peak of memory; the exit code is 1 when a
bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt_async

EXCHANGES = ("binanceus", "bitstamp", "binance")
MARKETS = {"binanceus": "BTC/USD", "bitstamp": "BTC/USD", "binance": "BTC/USDT"}
PAGE_CANDLES = 1000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
END_MS = 1_735_689_600_000  # 2025-01-01
END_DAY = "2025-01-01"
NOW = "2025-02-01T00:00:00Z"

MOST_OF_PACE_LIMIT = 1.15
MOST_OF_BARE_CPU = 2.0
MOST_PEAK_MB = 350
DAYS_IN_A_YEAR = 365


@dataclass(frozen=True)
class Cost:
    """What a child process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000, help="pages an exchange")
    parser.add_argument("--days", type=int, default=DAYS_IN_A_YEAR, help="days for the peak memory")
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        asyncio.run(fetch_bare(json.loads(arguments.bare), arguments.pages))
        return 0
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder)) as base_urls:
        results = [
            *measure_cpu(Path(folder), base_urls, arguments.pages),
            measure_memory(Path(folder), arguments.days),
            measure_pace(Path(folder), base_urls, arguments.pages),
        ]
    return 0 if all(results) else 1


def measure_cpu(folder: Path, base_urls: dict[str, str], pages: int) -> Iterator[bool]:
    """The job's CPU time against bare ccxt's for the same pages, pacing off."""
    days = days_of(pages)
    # A first round has the simulator make its market, for both alike.
    for _ in range(2):
        bare = run_child(
            [sys.executable, __file__, f"--pages={pages}", f"--bare={json.dumps(base_urls)}"]
        )
    job = run_job(folder / "cpu", folder / "unpaced.toml", days)
    ratio = job.cpu_seconds / bare.cpu_seconds
    print(
        f"CPU, pacing off, 3 x {pages} pages: job {job.cpu_seconds:.1f} s, bare ccxt "
        f"{bare.cpu_seconds:.1f} s, ratio {ratio:.2f} (at most {MOST_OF_BARE_CPU})"
    )
    yield ratio <= MOST_OF_BARE_CPU


def measure_memory(folder: Path, days: int) -> bool:
    """The peak memory of a year of minutes of one symbol on three exchanges."""
    job = run_job(folder / "memory", folder / "unpaced.toml", days)
    print(f"Peak memory, {days} days: {job.peak_mb:.0f} MB (under {MOST_PEAK_MB})")
    return job.peak_mb < MOST_PEAK_MB


def measure_pace(folder: Path, base_urls: dict[str, str], pages: int) -> bool:
    """The job's duration against the least that ccxt's own pace of the slowest exchange allows."""
    days = days_of(pages)
    least = max(seconds_per_page(exchange) for exchange in EXCHANGES) * pages
    job = run_job(folder / "pace", folder / "paced.toml", days)
    ratio = job.seconds / least
    print(
        f"Duration, pacing on, 3 x {pages} pages: {job.seconds:.1f} s, the slowest exchange's "
        f"pace allows {least:.1f} s, ratio {ratio:.3f} (at most {MOST_OF_PACE_LIMIT})"
    )
    return ratio <= MOST_OF_PACE_LIMIT


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
    api = [section]
    request = {"limit": PAGE_CANDLES}
    config = endpoint if isinstance(endpoint, dict) else {"cost": endpoint}
    cost = client.calculate_rate_limiter_cost(api, "GET", path, request, config)
    return float(client.rateLimit) * float(cost) / 1000


async def fetch_bare(base_urls: dict[str, str], pages: int) -> None:
    """Fetches the pages of every exchange with nothing but ccxt."""

    async def fetch(exchange: str) -> None:
        client: Any = getattr(ccxt_async, exchange)({"enableRateLimit": False})
        client.urls["api"] = moved(client.urls["api"], base_urls[exchange])
        client.options["fetchMarkets"] = {"types": ["spot"]}
        try:
            await client.load_markets()
            since = END_MS - days_of(pages) * DAY_MS
            while since < END_MS:
                rows = await client.fetch_ohlcv(MARKETS[exchange], "1m", since, PAGE_CANDLES)
                since = rows[-1][0] + MINUTE_MS
        finally:
            await client.close()

    await asyncio.gather(*(fetch(exchange) for exchange in EXCHANGES))


def moved(addresses: Any, base_url: str) -> Any:
    if isinstance(addresses, dict):
        return {key: moved(value, base_url) for key, value in addresses.items()}
    return base_url + urlsplit(addresses).path


def run_job(data: Path, settings: Path, days: int) -> Cost:
    start = time.strftime("%Y-%m-%d", time.gmtime(END_MS / 1000 - days * 86_400))
    return run_child(
        [
            *(sys.executable, "-P", "-m", "candle_ingestor"),
            f"--exchange_settings_file={settings}",
            f"--exchanges={','.join(EXCHANGES)}",
            *("--symbols=BTC/USD", "--quote_aliases=USD:USDT", f"--now={NOW}"),
            *(f"--backfill_start_date={start}", f"--backfill_end_date={END_DAY}"),
            *(f"--sqlite_path={data}/candles.sqlite", f"--data_root={data}/csv"),
        ]
    )


def run_child(command: list[str]) -> Cost:
    """Runs the command to its end. Exits if it fails, since there is nothing to measure then."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            output.seek(0)
            sys.exit(f"{command[:4]} failed: {output.read()[-2000:].decode()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak_mb(usage))


def peak_mb(usage: resource.struct_rusage) -> float:
    per_mb = 1024 * 1024 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss / per_mb


@contextmanager
def simulator(folder: Path) -> Iterator[dict[str, str]]:
    """A simulator process; its settings with and without pacing lie in the folder."""
    paced = folder / "paced.toml"
    command = [
        *(sys.executable, "-P", "-m", "exchange_simulator", "--port=0"),
        *(f"--settings_out={paced}", f"--exchanges={','.join(EXCHANGES)}", f"--now={NOW}"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            base_urls = {exchange: f"{url}/{exchange}" for exchange in EXCHANGES}
            unpaced = [
                f'[{exchange}]\nbase_url = "{base_url}"\nrequests_per_minute = 0\n'
                for exchange, base_url in base_urls.items()
            ]
            (folder / "unpaced.toml").write_text("\n".join(unpaced))
            yield base_urls
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
