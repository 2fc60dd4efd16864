"""Measures runs that find five new minutes: their CPU time, and their requests to InfluxDB.

CPU is measured against bare ccxt that loads the markets and asks once a series. Requests are
counted by a proxy in front of a real server. The exit code is 1 when a bound is missed, and 2 when
there is no server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from influxd import InfluxServer
from measuring import at_most, best_of_each, cost_of_child
from misbehaving_proxy import MisbehavingProxy
from real_influxdb import NO_SERVER, influx_server
from simulated import MINUTE_MS, Simulator, simulator

EXCHANGES = ("binanceus", "bitstamp", "coinbaseexchange")
START_MS = 1_678_874_400_000  # 2023-03-15T10:00:00Z
FLAGS = ("--backfill_start_date=skip", "--catch_up_initial_days=1")
ROUNDS = 5

MOST_OF_BARE_CPU = {1: 1.3, 200: 3.0}
MOST_REQUESTS = {(25, 2): 40, (200, 3): 100}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["cpu", "influxdb"], help="measure this only")
    only = parser.parse_args().only
    results: list[bool] = []
    if only != "influxdb":
        results += measure_cpu()
    if only != "cpu":
        with influx_server() as server:
            if server is None:
                print(NO_SERVER)
                return 2
            results += measure_requests(server)
    return 0 if all(results) else 1


def measure_cpu() -> Iterator[bool]:
    """CPU time of a run that finds five new minutes on two exchanges, into SQLite."""
    for symbols, bound in MOST_OF_BARE_CPU.items():
        job, bare = cpu_of(names_of(symbols))
        print(f"job {job:.2f} s, bare ccxt {bare:.2f} s of CPU")
        name = f"CPU for five new minutes, {symbols} x 2 series, times bare ccxt"
        yield at_most(name, job / bare, bound)


def cpu_of(names: list[str]) -> tuple[float, float]:
    """CPU seconds of the job, and of bare ccxt."""
    with market(names, 2) as (folder, exchanges):
        job = job_rounds(exchanges, folder, names)
        cost_of_child(job())
        bare = exchanges.bare(dict.fromkeys(exchanges.exchanges, names), START_MS - 2 * MINUTE_MS)
        job_cost, bare_cost = best_of_each(
            [lambda: cost_of_child(job()), lambda: cost_of_child(bare)], ROUNDS
        )
    return job_cost.cpu_seconds, bare_cost.cpu_seconds


def measure_requests(server: InfluxServer) -> Iterator[bool]:
    """How often a run that finds five new minutes asks the server anything."""
    for (symbols, exchange_count), bound in MOST_REQUESTS.items():
        names = names_of(symbols)
        with (
            market(names, exchange_count) as (folder, exchanges),
            server.bucket() as bucket,
            MisbehavingProxy(server.url).serving() as proxy,
        ):
            token = {"INFLUXDB_TOKEN": bucket.token}
            job = job_rounds(
                exchanges,
                folder,
                names,
                "--store=influxdb",
                f"--influxdb_url={proxy.url}",
                f"--influxdb_org={bucket.org}",
                f"--influxdb_bucket={bucket.bucket}",
            )
            cost_of_child(job(), token)
            proxy.requests.clear()
            cost = cost_of_child(job(), token)
            of_path = Counter(request.path.partition("?")[0] for request in proxy.requests)
            print(f"{cost.seconds:.1f} s; {dict(of_path)}")
            yield at_most(
                f"requests to InfluxDB for five new minutes, {symbols} x {exchange_count} series",
                len(proxy.requests),
                bound,
            )


@contextmanager
def market(names: list[str], exchange_count: int) -> Iterator[tuple[Path, Simulator]]:
    """A folder, and exchanges that list these symbols since two days before the start."""
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(
            Path(folder),
            EXCHANGES[:exchange_count],
            START_MS,
            f"--symbols={','.join(names)}",
            "--synthetic_days=2",
        ) as exchanges,
    ):
        yield Path(folder), exchanges


def job_rounds(
    exchanges: Simulator, folder: Path, names: list[str], *flags: str
) -> Callable[[], list[str]]:
    """Makes the command of each next run, five minutes after the one before."""
    numbers = count()

    def following() -> list[str]:
        # Half a minute into it, so that the newest minute is past its time to settle.
        now_ms = START_MS + (5 * next(numbers)) * MINUTE_MS + MINUTE_MS // 2
        exchanges.set_clock(now_ms)
        return exchanges.job(folder, names, now_ms, *FLAGS, *flags)

    return following


def names_of(symbols: int) -> list[str]:
    return [f"C{number:03}/USD" for number in range(symbols)]


if __name__ == "__main__":
    sys.exit(main())
