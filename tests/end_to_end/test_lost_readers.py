"""What becomes of a command whose output nobody reads any more, as with `| head`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"


@pytest.fixture
def arguments(job: Any, simulate: Any, ms_of: Any) -> list[str]:
    """Of a job for a day of hours."""
    market = simulate(now_ms=ms_of("2024-05-03T02:00:10"))
    job.use(market)
    flags = job.settings | {
        "now": market.clock.now_ms(),
        "exchanges": "bitstamp,binanceus",
        "symbols": "BTC/USD",
        "candle_granularity_minutes": "1h",
        "backfill_start_date": "2024-05-02",
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def run_unread(folder: Path, arguments: list[str], *, reads_errors: bool) -> tuple[int, str]:
    """The exit code and the errors of a job that finds its readers gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "candle_ingestor", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SERVICES)},
        stdout=writing,
        stderr=subprocess.PIPE if reads_errors else writing,
        text=True,
    ) as process:
        os.close(writing)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors or ""


def test_every_command_does_its_work_and_ends_with_its_own_exit_code(
    job: Any, arguments: list[str]
) -> None:
    for words in ([], ["merge"], ["export"], ["--run_mode=dry"]):
        code, errors = run_unread(job.folder, words + arguments, reads_errors=True)
        assert code == 0, (words, errors)
        assert "Traceback" not in errors
        assert "Broken pipe" not in errors
    assert len(job.stored.merged("BTC/USD", "1h")) == 26
    assert len(job.stored.files()) == 2


@pytest.mark.parametrize(("minimum", "exit_code"), [(2, 0), (3, 2)])
def test_a_run_that_nobody_hears_at_all_ends_with_its_own_exit_code(
    job: Any, arguments: list[str], minimum: int, exit_code: int
) -> None:
    flags = [*arguments, f"--min_exchanges_required={minimum}"]
    assert run_unread(job.folder, flags, reads_errors=False)[0] == exit_code
