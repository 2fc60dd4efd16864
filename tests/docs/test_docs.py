"""README and docs: every command runs, every flag is described, every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_files import kraken_text, rows_of
from job_server import JobServer

from candle_ingestor.commands.help import flags_page, help_text
from candle_ingestor.commands.table import COMMANDS
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.symbols.sources import from_file
from exchange_simulator import SimulatorConfig, running_simulator

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EXCHANGES = ("coinbaseexchange", "bitstamp", "kraken", "coingecko")
RunCommand = Callable[[str, Path], subprocess.CompletedProcess[str]]
CANNOT_BE_MERGED = "What cannot be merged stays a gap"


def blocks(language: str) -> list[str]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for page in PAGES for block in pattern.findall(page.read_text())]


def job_commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("./candle-ingestor")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("docs")
    config = SimulatorConfig(exchanges=EXCHANGES, symbols=("BTC/USD", "ETH/USD"))
    with running_simulator(config) as simulator:
        settings = "\n".join(
            f'[{exchange}]\nbase_url = "{simulator.base_url(exchange)}"\nrequests_per_minute = 0\n'
            for exchange in EXCHANGES
        )
        (folder / "exchanges.toml").write_text(settings)
        (folder / "data/archives/2023Q1").mkdir(parents=True)
        rows = rows_of(1_672_531_200_000, 10)
        (folder / "data/archives/2023Q1/XBTUSD_1.csv").write_text(kraken_text(rows))
        rows = rows_of(1_672_531_200_000, 10, step_ms=3_600_000)
        lines = [",".join(map(str, (row[0] // 1000, *row[1:]))) for row in rows]
        (folder / "data/mine.csv").write_text("\n".join(["time,o,h,l,c,v", *lines]))
        yield folder


def arguments_of(command: str, folder: Path) -> list[str]:
    words = shlex.split(command)
    assert words[0] == "./candle-ingestor"
    return [*words[1:], f"--exchange_settings_file={folder}/exchanges.toml"]


def run_from_cold(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a Python that has loaded nothing before."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "candle_ingestor", *arguments_of(command, folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def run_command(job_server: JobServer) -> RunCommand:
    """The end of a command of the pages, run in a folder that knows the simulated exchanges."""

    def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        arguments = arguments_of(command, folder)
        return job_server.run(arguments, folder=folder, environment=os.environ)

    return run


def test_every_job_command_of_the_pages_runs_and_what_they_say_of_its_results_holds(
    workplace: Path, run_command: RunCommand
) -> None:
    commands = [command for command in job_commands() if command.split()[1:] != ["demo"]]
    assert len(commands) >= 5
    # A download comes before the commands that work on what it stored.
    for command in commands:
        done = run_command(command, workplace)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert CANNOT_BE_MERGED not in done.stdout + done.stderr, command
    for block in blocks("python"):
        printed = subprocess.run(
            [sys.executable, "-c", block],
            cwd=workplace,
            env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert printed.returncode == 0, printed.stderr
        assert "i64" in printed.stdout
    with sqlite3.connect(workplace / "data/candles.sqlite") as store:
        for block in blocks("sql"):
            assert len(store.execute(block).fetchall()) == 5
    store.close()


def test_the_example_of_every_command_runs_from_a_cold_start(workplace: Path) -> None:
    examples = {name: command.example for name, command in COMMANDS.items()}
    assert examples.pop("demo") == "candle-ingestor demo"  # Shown end to end.
    for example in examples.values():
        done = run_from_cold(f"./{example}", workplace)
        assert done.returncode == 0, f"{example}\n{done.stdout}\n{done.stderr}"


def test_the_file_of_flags_in_the_readme_is_one(workplace: Path, run_command: RunCommand) -> None:
    (file,) = blocks("toml")
    (workplace / "job.toml").write_text(file)
    done = run_command("./candle-ingestor --config=job.toml --run_mode=dry", workplace)
    assert done.returncode == 0, done.stderr
    assert "BTC/USD,ETH/USD" in done.stdout
    assert "config file" in done.stdout


def test_the_pages_tell_of_the_demo() -> None:
    # That it runs from a new folder is shown end to end.
    assert "./candle-ingestor demo" in job_commands()


def test_the_example_row_of_the_partitions_page_is_what_the_job_makes(
    tmp_path: Path, run_command: RunCommand
) -> None:
    samples = ROOT / "tests/data/market_minutes"
    with running_simulator(SimulatorConfig(recordings=(samples,))) as simulator:
        settings = simulator.write_settings(tmp_path / "exchanges.toml")
        done = run_command(
            "./candle-ingestor --exchanges=coinbaseexchange,binanceus,cryptocom --symbols=BTC/USD "
            "--backfill_start_date=2024-08-05 --backfill_end_date=2024-08-06",
            settings.parent,
        )
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "data/csv/aggregated/BTCUSD/2024/2024-08.csv").read_text()
    example = re.search(r"^2024-08-05T.*$", (ROOT / "docs/partitions.md").read_text(), re.MULTILINE)
    assert example is not None
    assert written.splitlines()[1] == example.group()


def test_other_shell_commands_of_the_pages_are_known_ones() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    others = [line for line in lines if line and not line.startswith("./candle-ingestor")]
    programs = {line.split()[0] for line in others}
    # make test is this test run; the two others have tests of their own.
    assert programs <= {"make", "redis-cli", ".venv/bin/python"}


def test_the_simulator_command_of_the_pages_starts_a_simulator(tmp_path: Path) -> None:
    (command,) = (
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if "exchange_simulator" in line
    )
    words = [word for word in command.split()[1:] if not word.startswith("--port")]
    with subprocess.Popen(
        [sys.executable, "-P", *words, "--port=0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        process.terminate()
    assert (tmp_path / "data/exchanges.toml").exists()


def test_the_flags_page_says_what_the_flags_say() -> None:
    assert (ROOT / "docs/flags.md").read_text() == flags_page(), "run `make docs`"


def test_every_flag_of_the_job_is_in_the_help_text() -> None:
    names = [name for group in GROUPS.values() for name in group]
    text = help_text()
    assert all(name in text for name in (*names, *COMMANDS))


def test_every_flag_that_a_page_names_exists() -> None:
    simulator_flags = {"recordings", "shift_to_now", "fault", "seed", "port", "settings_out"}
    for page in PAGES:
        # Other programs have flags of their own.
        text = re.sub(r"(docker|kubectl|redis-cli) [^`\n]*|--build-arg", "", page.read_text())
        for name in re.findall(r"--([a-z][a-z_]+)", text):
            known = {*FLAGS, *simulator_flags, "help", "version", "flag", "name"}
            assert name in known or name.removeprefix("no") in FLAGS, f"{page.name}: --{name}"


def test_every_link_between_pages_leads_to_a_file() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_dependency_earns_its_place_in_the_decisions() -> None:
    text = (ROOT / "docs/decisions.md").read_text()
    table = text.partition("## Libraries")[2]
    project = (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r'^    "([a-z0-9-]+)>=', project, re.MULTILINE):
        assert name in table, name


def test_the_redis_example_of_the_readme_is_read_as_it_says(tmp_path: Path) -> None:
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if "redis-cli" in line)
    file = tmp_path / "symbols.json"
    file.write_text(line.split("'")[1])
    symbols = from_file(file)
    assert [str(request.symbol) for request in symbols.requests] == [
        "BTC/USD",
        "ETH/USD",
        "SOL/USD",
    ]
    assert not symbols.rejected
