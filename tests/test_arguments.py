"""The file of flags, and which value wins."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from absl.testing import flagsaver

from candle_ingestor.commands.arguments import parse
from candle_ingestor.config import Origin
from candle_ingestor.config.origins import SECRETS, VARIABLES
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.flags import FLAGS, GROUPS


@pytest.fixture(autouse=True)
def flags_as_they_were() -> Iterator[None]:
    with flagsaver.flagsaver():
        yield


@pytest.fixture
def job_file(tmp_path: Path) -> Callable[[str], str]:
    """`job_file(toml)`: the flag that names a file with this text."""

    def write(text: str) -> str:
        path = tmp_path / "job.toml"
        path.write_text(text)
        return f"--config={path}"

    return write


def parsed(*arguments: str, **environment: str) -> Any:
    return parse(["job", *arguments], environment)


def test_a_file_gives_values_of_every_type(job_file: Any) -> None:
    flag = job_file(
        """
        exchanges = ["kraken", "bitstamp"]
        symbols = "BTC/USD,ETH/USD"
        candle_granularity_minutes = "1h"
        backfill_start_date = 2024-01-01
        backfill_end_date = 2024-02-01T06:30:00
        max_price_deviation_pct = 2
        request_timeout_seconds = 3.5
        fail_fast = true
        export_csv = false
        verbosity = 1
        """
    )

    origins = parsed(flag).origins

    assert FLAGS.exchanges == ["kraken", "bitstamp"]
    assert FLAGS.symbols == "BTC/USD,ETH/USD"
    assert FLAGS.candle_granularity_minutes == 60
    assert FLAGS.backfill_start_date == "2024-01-01"
    assert FLAGS.backfill_end_date == "2024-02-01T06:30:00"
    assert FLAGS.max_price_deviation_pct == 2.0
    assert FLAGS.request_timeout_seconds == 3.5
    assert (FLAGS.fail_fast, FLAGS.export_csv, FLAGS.verbosity) == (True, False, 1)
    assert origins["config"] is Origin.FLAG
    assert origins["exchanges"] is Origin.FILE
    assert origins["high_low"] is Origin.DEFAULT
    assert {name for group in GROUPS.values() for name in group} <= origins.keys()


def test_the_command_line_and_the_environment_win_over_the_file(job_file: Any) -> None:
    flag = job_file('redis_host = "filed"\nredis_port = 1\nhigh_low = "extremes"\n')

    origins = parsed(flag, "--redis_port=7", REDIS_HOST="cache", REDIS_PORT="9").origins

    assert FLAGS.redis_port == 7
    assert FLAGS.redis_host is None  # The variable is read where the configuration is made.
    assert FLAGS.high_low == "extremes"
    assert origins["redis_port"] is Origin.FLAG
    assert origins["redis_host"] is Origin.ENVIRONMENT
    assert origins["high_low"] is Origin.FILE


@pytest.mark.parametrize(
    ("typed", "filed", "name"),
    [
        ("--symbols=BTC/USD", 'symbols_file = "x.json"', "symbols_file"),
        ("--backfill_start_date=today", "days = 30", "days"),
        ("--days=3", 'backfill_start_date = "today"', "backfill_start_date"),
    ],
)
def test_what_the_command_line_says_in_another_way_wins_too(
    job_file: Any, typed: str, filed: str, name: str
) -> None:
    assert parsed(typed, job_file(filed)).origins[name] is not Origin.FILE
    assert FLAGS[name].value == FLAGS[name].default


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('simbols = "BTC/USD"', "no flag is called 'simbols'; did you mean symbols?"),
        ('data-root = "x"', "did you mean data_root?"),
        ("zzzzzz = 1", "no flag is called 'zzzzzz'; docs/flags.md lists the flags"),
        ('config = "other.toml"', "no flag is called 'config'"),
        ("[kraken]\nx = 1", "no flag is called 'kraken'"),
        ("[exchanges]\nx = 1", "exchanges is a table"),
        ("redis_port = 70000", "redis_port = 70000"),
        ("fail_fast = 3", "fail_fast = 3"),
        ('high_low = "middle"', "high_low = middle"),
        ("exchanges = [1]", "exchanges must be a list of texts in quotes, without commas"),
        ("symbols = ", "is no TOML"),
        ("days = 3\nbackfill_start_date = 2024-01-01", "contradict each other"),
    ],
)
def test_what_a_file_cannot_say_is_refused_with_its_name(
    job_file: Any, text: str, words: str
) -> None:
    flag = job_file(text)
    with pytest.raises(ConfigurationError) as caught:
        parsed(flag)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert flag in str(caught.value) or "contradict" in words


@pytest.mark.parametrize(
    ("typed", "what_to_give"),
    [
        ("--days=x", "give a whole number from 1"),
        ("--days=1.5", "give a whole number from 1"),
        ("--redis_port=99999", "give a whole number from 1 to 65535"),
        ("--verbosity=x", "give a whole number"),
        ("--max_run_seconds=-1", "give a number from 0"),
        ("--fail_fast=perhaps", "give true or false"),
        ("--high_low=middle", "give weighted or extremes"),
        ("--candle_granularity_minutes=2w", "give a length such as 1, 60, 1m, 4h or 1d"),
        ("--candle_granularity_minutes=0", "give a length such as 1, 60, 1m, 4h or 1d"),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_what_to_give(
    job_file: Any, typed: str, what_to_give: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parsed(typed)
    assert str(caught.value) == f"{typed} cannot be used; {what_to_give}"

    name, value = typed.removeprefix("--").split("=")
    flag = job_file(f'{name} = "{value}"')
    with pytest.raises(ConfigurationError) as caught:
        parsed(flag)
    assert str(caught.value) == f"{flag}: {name} = {value} cannot be used; {what_to_give}"


@pytest.mark.parametrize("name", ["--help", "--version"])
def test_help_and_version_take_no_value(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} takes no value$"):
        parsed(f"{name}=x")


def test_a_misspelt_flag_may_have_meant_version_or_help() -> None:
    with pytest.raises(ConfigurationError, match="did you mean --version"):
        parsed("--versio")
    with pytest.raises(ConfigurationError, match="did you mean --help"):
        parsed("--hlp")


def test_every_unknown_key_is_named_at_once(job_file: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'simbols'.*'exchange'.*did you mean exchanges"):
        parsed(job_file('simbols = "BTC/USD"\nexchange = "kraken"\n'))


@pytest.mark.parametrize("text", ['influxdb_token = ["hush", 5]', 'influxdb_token = {a="hush"}'])
def test_no_message_repeats_a_secret_of_the_file(job_file: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parsed(job_file(text))

    assert "influxdb_token" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_shared_file_may_hold_what_a_command_does_not_use(job_file: Any) -> None:
    assert parsed("export", job_file("fail_fast = true")).warnings == ()
    assert parsed("export", "--fail_fast").warnings != ()


def test_the_tables_of_variables_and_secrets_name_flags() -> None:
    names = {name for group in GROUPS.values() for name in group}

    assert VARIABLES.keys() | SECRETS <= names


def test_a_dry_run_says_what_it_does_not_write() -> None:
    flags = ("--download_list_path=list.csv", "--run_report_path=report.json")

    assert parsed("--run_mode=dry", *flags).warnings == (
        "--run_report_path, --download_list_path: without effect, since a dry run writes nothing",
    )
    assert parsed("--run_mode=wet", *flags).warnings == ()
