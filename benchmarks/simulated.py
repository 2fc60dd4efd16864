"""The job and bare ccxt against an exchange simulator in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PAGE_CANDLES = 1000


@dataclass(frozen=True)
class Simulator:
    """A running simulator, its clock, and exchange settings that send the job to it."""

    url: str
    exchanges: tuple[str, ...]
    paced: Path
    unpaced: Path

    @property
    def base_urls(self) -> dict[str, str]:
        return {exchange: f"{self.url}/{exchange}" for exchange in self.exchanges}

    def set_clock(self, now_ms: int) -> None:
        request = urllib.request.Request(f"{self.url}/_clock?now_ms={now_ms}", method="POST")
        urllib.request.urlopen(request).close()

    def job(
        self, folder: Path, symbols: Sequence[str], now_ms: int, *flags: str, is_paced: bool = False
    ) -> list[str]:
        """The command of a run that keeps all it has in the folder."""
        return [
            *(sys.executable, "-P", "-m", "candle_ingestor"),
            f"--exchange_settings_file={self.paced if is_paced else self.unpaced}",
            *(f"--exchanges={','.join(self.exchanges)}", f"--symbols={','.join(symbols)}"),
            *(f"--now={iso_text(now_ms)}", f"--sqlite_path={folder}/candles.sqlite"),
            *(f"--data_root={folder}/csv", *flags),
        ]

    def bare(
        self, markets: dict[str, Sequence[str]], since_ms: int, end_ms: int | None = None
    ) -> list[str]:
        """The command that fetches candles of each exchange's markets with nothing but ccxt.

        All pages up to `end_ms`; without it one.
        """
        task = {
            "base_urls": self.base_urls,
            "markets": markets,
            "since_ms": since_ms,
            "end_ms": end_ms,
            "page_candles": PAGE_CANDLES,
        }
        script = Path(__file__).with_name("bare_ccxt.py")
        return [sys.executable, "-P", str(script), json.dumps(task)]


@contextmanager
def simulator(
    folder: Path, exchanges: Sequence[str], now_ms: int, *flags: str
) -> Iterator[Simulator]:
    """A simulator whose clock stands still at `now_ms`; its settings files lie in the folder."""
    paced, unpaced = folder / "paced.toml", folder / "unpaced.toml"
    command = [
        *(sys.executable, "-P", "-m", "exchange_simulator", "--port=0", f"--settings_out={paced}"),
        *(f"--exchanges={','.join(exchanges)}", f"--now={now_ms}", "--freeze_clock", *flags),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            started = Simulator(url, tuple(exchanges), paced, unpaced)
            tables = [
                f'[{exchange}]\nbase_url = "{base_url}"\nrequests_per_minute = 0\n'
                for exchange, base_url in started.base_urls.items()
            ]
            unpaced.write_text("\n".join(tables))
            yield started
        finally:
            process.terminate()


def iso_text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
