"""What a start loads, and how it ends when the arguments cannot be used."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from logged import levels_of

from candle_ingestor.commands.help import command_help

SERVICES = Path(__file__).resolve().parents[1] / "services"
HEAVY = ("aiohttp", "asyncio", "ccxt", "influxdb_client", "polars", "redis", "rich", "tenacity")


STUBS = """
import gc, json, sys
from candle_ingestor import main
from candle_ingestor.__main__ import entry_point
from candle_ingestor.commands.table import COMMANDS, Command
sys.modules["stubs"] = sys.modules["__main__"]

def stub(name):
    def run(*arguments):
        print(json.dumps({
            "name": name,
            "arguments": [type(argument).__name__ for argument in arguments],
            "collects": gc.isenabled(),
            "has_frozen": gc.get_freeze_count() > 0,
            "threshold": gc.get_threshold()[0],
        }))
        return 7
    globals()[name] = run
    return Command("a stub", "stubs:" + name)

for name in COMMANDS:
    COMMANDS[name] = stub(name)
main.DRY_RUNS["ingest"] = stub("dry_run")
entry_point()
"""
"""Every command in a stand-in that tells what it is given."""


INTERRUPTED = """
import os, signal, sys
from candle_ingestor.__main__ import entry_point
from candle_ingestor.commands.table import COMMANDS, Command
sys.modules["stubs"] = sys.modules["__main__"]

def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGINT)

COMMANDS[sys.argv[1]] = Command("a stub", "stubs:interrupted")
entry_point()
"""
"""A command in a stand-in at which Ctrl-C is pressed."""


def start(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return run_python(*python, "-m", "candle_ingestor", *arguments)


def start_stub(*arguments: str) -> dict[str, Any]:
    ended = run_python("-c", STUBS, *arguments)
    assert ended.returncode == 7, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env=os.environ | {"PYTHONPATH": str(SERVICES)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def loaded_by(*arguments: str) -> set[str]:
    told = start(*arguments, python=("-X", "importtime")).stderr
    lines = [line for line in told.splitlines() if line.startswith("import time:")]
    assert lines
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["ingest", "--no_such_flag"], ["no_command"]])
def test_a_start_that_runs_no_command_loads_none_of_the_big_libraries(arguments: list[str]) -> None:
    assert loaded_by(*arguments).isdisjoint(HEAVY)


def test_a_configuration_that_cannot_be_used_is_refused_before_ccxt_is_loaded() -> None:
    arguments = ["ingest", "--exchanges=krakn", "--symbols=BTC/USD"]

    assert loaded_by(*arguments).isdisjoint({"ccxt", "polars", "redis", "influxdb_client"})
    ended = start(*arguments)
    assert ended.returncode == 2
    assert "did you mean kraken?" in ended.stderr


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"], ["help", "help"]])
def test_help_lists_the_commands_and_every_flag(arguments: list[str]) -> None:
    ended = start(*arguments)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: candle-ingestor [COMMAND]")
    assert "--[no]fail_fast" in ended.stdout
    assert "candle-ingestor help COMMAND" in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [["help", "export"], ["export", "--help"], ["--data_root=x", "export", "-h"]],
)
def test_help_for_a_command_lists_its_own_flags_and_an_example(arguments: list[str]) -> None:
    ended = start(*arguments)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: candle-ingestor export [--flag=value ...]")
    assert "Example: candle-ingestor export --" in ended.stdout
    assert "--[no]restate" in ended.stdout
    assert "fail_fast" not in ended.stdout


def help_of(command: str, flag: str) -> str:
    """What help of the command says of the flag, in one line."""
    lines = iter(command_help(command).splitlines())
    for line in lines:
        if line.strip().startswith((f"--{flag}=", f"--[no]{flag}")):
            told = [line.strip()]
            for further in lines:
                if not further.startswith("      "):
                    break
                told.append(further.strip())
            return " ".join(told)
    raise AssertionError(f"{command} has no --{flag}")


@pytest.mark.parametrize("command", ["status", "gaps", "report", "quality", "verify", "prune"])
def test_help_of_a_command_that_uses_what_is_stored_tells_no_default_of_fetching(
    command: str,
) -> None:
    for flag in ("symbols", "exchanges", "candle_granularity_minutes"):
        told = help_of(command, flag)
        assert re.search(r"Default: .*(stored|merged)", told), told
        assert "Redis" not in told
        assert "binanceus" not in told


def test_help_tells_what_a_flag_means_for_the_command() -> None:
    assert help_of("ingest", "exchanges").endswith("Default: binanceus,coinbaseexchange,bitstamp.")
    assert help_of("ingest", "symbols").endswith("in place of Redis.")
    assert help_of("quality", "days").endswith("are looked at. Default: all that is stored.")
    assert "says what would be removed" in help_of("prune", "run_mode")
    assert help_of("import", "symbols").endswith("Default: all that the files hold.")
    assert help_of("demo", "sqlite_path").endswith("Default: data/demo/candles.sqlite.")
    assert help_of("status", "format").startswith("--format=text or json or csv How")
    assert help_of("report", "format").startswith("--format=text or json or csv or html How")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "nothing was changed"),
        (["merge"], "what is stored is whole, and the same command goes on from there"),
    ],
)
def test_ctrl_c_says_whether_anything_may_have_been_changed(
    arguments: list[str], words: str
) -> None:
    ended = run_python("-c", INTERRUPTED, *arguments)

    assert ended.returncode == 130
    assert ended.stderr.endswith(f"WARNING: Interrupted; {words}\n")


def test_help_for_no_command_says_what_there_is() -> None:
    ended = start("help", "exprot")

    assert ended.returncode == 2
    assert ended.stderr == "candle-ingestor: 'exprot' is no command; did you mean export?\n"


def test_the_version_is_that_of_the_package() -> None:
    ended = start("--version")

    project = tomllib.loads((SERVICES.parent / "pyproject.toml").read_text())["project"]
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"candle-ingestor {project['version']} (Python 3.")
    assert ", ccxt 4." in ended.stdout


@pytest.mark.parametrize("flags", [[], ["-u"]])
@pytest.mark.parametrize("arguments", ["help", "export --help", "--no_such_flag"])
def test_a_reader_that_leaves_is_no_error(arguments: str, flags: list[str]) -> None:
    # The reader is gone before the first word, and the words are more than a pipe holds.
    for redirection, code in (("", 0), ("2>&1", 2)):
        if (code == 2) != (arguments == "--no_such_flag"):
            continue
        command = f"{sys.executable} -P {' '.join(flags)} -m candle_ingestor {arguments}"
        ended = subprocess.run(
            ["bash", "-c", f"{{ sleep 0.3; {command} {redirection}; echo $? >&3; }} 3>&2 | true"],
            env=os.environ | {"PYTHONPATH": str(SERVICES)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.stderr == f"{code}\n"


def into(redirection: str, arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -P -m candle_ingestor {arguments} {redirection}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SERVICES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", ["help", "status", "status --format=json"])
def test_a_full_disk_below_standard_output_is_said_in_a_line(
    arguments: str, tmp_path: Path
) -> None:
    ended = into(">/dev/full", arguments, tmp_path)

    assert ended.returncode == 3
    assert "standard output cannot be written: No space left on device" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_closed_standard_output_changes_nothing(tmp_path: Path) -> None:
    ended = into(">&-", "status", tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--simbols=BTC/USD"], "no flag is called --simbols; did you mean --symbols?"),
        (["--data-root=x"], "no flag is called --data-root; did you mean --data_root?"),
        (["--zzzzzz"], "no flag is called --zzzzzz; --help lists the flags"),
        (
            ["fetch"],
            "'fetch' is no command; there are ingest, merge, resample, export, import, status, ",
        ),
        (["inject"], "'inject' is no command; did you mean ingest?"),
        (
            ["--days=3", "--backfill_start_date=today"],
            "--backfill_start_date and --days contradict",
        ),
        (["--symbols=BTC/USD", "--symbols_file=x"], "--symbols and --symbols_file contradict"),
        (["--config=/nowhere/job.toml"], "--config=/nowhere/job.toml cannot be read: No such file"),
        (["ingest", "symbols=BTC/USD"], "flags are written --name=value"),
        (["merge", "--run_mode=dry"], "--run_mode=dry goes with ingest and import"),
    ],
)
def test_what_cannot_be_is_refused_at_once_in_one_line(arguments: list[str], words: str) -> None:
    ended = start(*arguments)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stderr.startswith("candle-ingestor: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "--backfill_start_date=2999-01-01"], "lies in the future"),
        (["merge", "--backfill_start_date=skip", "--backfill_end_date=2024-01-01"], "not skip"),
        (["export", "--now=soon"], "'soon' is no time"),
        (["--influxdb_org=desk", "--symbols=BTC/USD"], "--influxdb_org is given, and no token"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_in_one_line_of_the_log(
    arguments: list[str], words: str
) -> None:
    ended = start(*arguments)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert levels_of(ended.stderr) == ["ERROR"]
    assert ended.stdout == ""


def test_more_verbosity_tells_where_a_line_was_written_and_less_leaves_lines_out() -> None:
    wrong = ["export", "--now=soon"]

    assert re.search(r"T00:00:00Z \(main\.py:\d+, MainThread\)$", start(*wrong, "-v=1").stderr)
    assert start(*wrong).stderr.endswith("T00:00:00Z\n")
    assert start(*wrong, "--verbosity=-2").stderr.endswith("T00:00:00Z\n")
    assert start(*wrong, "--verbosity=-3").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "ingest"),
        (["ingest"], "ingest"),
        (["merge"], "merge"),
        (["export"], "export"),
        (["ingest", "--run_mode=dry"], "dry_run"),
        (["--run_mode=dry"], "dry_run"),
    ],
)
def test_a_command_is_given_configuration_clock_and_console(
    arguments: list[str], command: str
) -> None:
    told = start_stub(*arguments)

    assert told["name"] == command
    assert told["arguments"] == ["Config", "SystemClock", "Console"]


def test_the_demo_is_given_the_flags_and_makes_its_own_configuration() -> None:
    told = start_stub("demo", "--exchanges=not_looked_at_here")

    assert told["name"] == "demo"
    assert told["arguments"] == ["FlagValues", "Console"]


def warnings_of(*arguments: str) -> list[str]:
    ended = run_python("-c", STUBS, *arguments)
    assert ended.returncode == 7, ended.stderr
    before = r"^(?:W\d{4} .*?\] |(?:\S+Z )?WARNING: )"
    return [re.sub(before, "", line) for line in ended.stderr.splitlines()]


def test_a_flag_that_a_command_does_not_use_is_warned_about_and_nothing_else() -> None:
    (warning,) = warnings_of("export", "--fail_fast", "--high_low=extremes", "--run_mode=wet")
    assert warning == (
        "--fail_fast, --high_low have no effect on the command export; "
        "candle-ingestor help export lists its flags"
    )
    assert warnings_of("merge", "--high_low=extremes", "--symbols=BTC/USD") == []
    assert warnings_of("ingest", "--fail_fast", "--high_low=extremes") == []
    (warning,) = warnings_of("demo", "--dry_run_limit=5")
    assert warning.startswith("--dry_run_limit has no effect on the command demo")


def test_a_command_runs_with_what_was_loaded_left_out_of_garbage_collections() -> None:
    told = start_stub("ingest")

    assert told["collects"]
    assert told["has_frozen"]
    assert told["threshold"] > 10_000
