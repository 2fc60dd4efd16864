import re
import sys
from pathlib import Path

import pytest
from absl import flags as absl_flags
from absl.testing import flagsaver

import candle_ingestor.main  # noqa: F401 - defines every flag there is
from candle_ingestor.commands.help import command_help
from candle_ingestor.commands.table import COMMANDS, DRY_RUNS, Command, users_of
from candle_ingestor.config import FlagValues
from candle_ingestor.flags import FLAGS, GROUPS

CONFIG_FOLDER = Path(sys.modules[FlagValues.__module__].__file__ or "").parent
CONFIG = "".join(path.read_text() for path in CONFIG_FOLDER.glob("*.py"))
NAMES = [name for group in GROUPS.values() for name in group]


def own_flags() -> set[str]:
    modules = FLAGS.flags_by_module_dict()
    return {
        flag.name
        for module, flags in modules.items()
        for flag in flags
        if module.startswith("candle_ingestor.flags.")
    }


def test_every_flag_is_listed_under_one_heading() -> None:
    assert set(NAMES) == own_flags()
    assert len(NAMES) == len(set(NAMES))
    assert all(GROUPS.values())


def test_no_other_package_of_the_job_defines_a_flag() -> None:
    modules = {name for name in FLAGS.flags_by_module_dict() if name.startswith("candle_")}

    assert {name.rpartition(".")[0] for name in modules} == {"candle_ingestor.flags"}


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_has_help_of_whole_sentences(name: str) -> None:
    text = FLAGS[name].help

    assert text == text.strip()
    assert text.endswith(".")
    assert "  " not in text
    assert "\n" not in text
    assert re.fullmatch(r"[a-z][a-z_]*", name)


def test_every_flag_but_that_of_main_is_part_of_the_configuration() -> None:
    by_main = {"config", "now", "run_mode"}

    read = set(re.findall(r'values\.(\w+)|(?:text|ca_file)_of\("(\w+)"', CONFIG))
    assert set(NAMES) - {name for pair in read for name in pair} == by_main


def test_every_flag_is_used_by_some_command_and_shown_in_the_help_of_those() -> None:
    for name in NAMES:
        users = users_of(name)
        assert set(users) <= set(COMMANDS)
        # What the older service's users may still give is of use to none of them.
        assert users or name == "tiingo_api_key"
        for command in COMMANDS:
            lines = [line.strip() for line in command_help(command).splitlines()]
            is_shown = any(re.match(rf"--(\[no\])?{name}\b", line) for line in lines)
            assert is_shown == (command in users), (name, command)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("60", 60), ("1h", 60), ("60m", 60), ("1m", 1), ("1d", 1440), ("1w", 10080), ("5", 5)],
)
def test_a_candle_length_is_a_number_of_minutes_or_a_timeframe(text: str, minutes: int) -> None:
    with flagsaver.flagsaver():
        FLAGS(["job", f"--candle_granularity_minutes={text}"])

        assert FLAGS.candle_granularity_minutes == minutes


def test_every_command_says_what_it_does() -> None:
    assert "ingest" in COMMANDS
    for command in (*COMMANDS.values(), *DRY_RUNS.values()):
        assert command.help
        assert not command.help.endswith(".")


@pytest.mark.parametrize("command", [*COMMANDS.values(), *DRY_RUNS.values()], ids=lambda c: c.path)
def test_every_command_can_be_loaded(command: Command) -> None:
    assert callable(command.load())


@pytest.mark.parametrize(
    "argument",
    [
        "--redis_port=0",
        "--redis_port=65536",
        "--candle_granularity_minutes=0",
        "--candle_granularity_minutes=1441",
        "--candle_granularity_minutes=25h",
        "--candle_granularity_minutes=2w",
        "--candle_granularity_minutes=",
        "--days=0",
        "--min_exchanges_required=-1",
        "--refetch_last_candles=-1",
        "--settle_seconds=-0.1",
        "--max_run_seconds=-1",
        "--price_decimal_digits=19",
        "--volume_decimal_digits=-1",
        "--dry_run_limit=0",
        "--request_timeout_seconds=0",
        "--run_mode=damp",
        "--high_low=middle",
        "--no_such_flag=1",
        "--markets_cache_hours=often",
    ],
)
def test_values_out_of_range_are_refused_by_the_parser(argument: str) -> None:
    with flagsaver.flagsaver(), pytest.raises(absl_flags.Error) as caught:
        FLAGS(["job", argument])

    assert argument.partition("=")[0].strip("-") in str(caught.value)


def test_lists_are_separated_by_commas() -> None:
    with flagsaver.flagsaver():
        FLAGS(["job", "--exchanges=kraken, bitstamp", "--quote_aliases=USD:USDT,EUR:USDC"])

        assert FLAGS.exchanges == ["kraken", "bitstamp"]
        assert FLAGS.quote_aliases == ["USD:USDT", "EUR:USDC"]
