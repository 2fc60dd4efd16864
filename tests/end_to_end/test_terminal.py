"""What a person sees on a terminal: bars and log lines on one screen, and answers to Ctrl-C."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from job_server import JobProcess
from terminal import PIECE_OF_BAR, Terminal, unspaced

from exchange_simulator import ExchangeSimulator, Fault

EXCHANGES = ("coinbaseexchange", "binanceus", "bitstamp")
RETRY = re.compile(
    r'WARNING:Failedtofetchfromcoinbaseexchange:answered503:\{"message":"[^"]+"\};'
    r"tryingagainin\d+\.\ds"
)
ANSWER = (
    "WARNING: Stopping: finishing what is in hand. Ctrl-C again leaves at once; what is stored "
    "stays whole."
)
LAST_WORDS = (
    "WARNING: Left at once, without a report. What is stored is whole, and the same command goes "
    "on from there."
)
CTRL_C = "\x03"
LEFT_AT_ONCE = 130


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(now_ms=ms_of("2024-05-10T02:00"), exchanges=EXCHANGES)
    return simulator


@pytest.fixture
def job(new_job: Any, market: ExchangeSimulator) -> Any:
    """Some days of two symbols, which take some seconds."""
    job = new_job(
        "on_terminal",
        now=market.clock.now_ms(),
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD,ETH/USD",
        backfill_start_date="4_days_ago",
    )
    job.environment["TERM"] = "xterm-256color"
    job.use(market, per_minute=1000)
    return job


@pytest.fixture
def terminal_of() -> Iterator[Callable[[int], Terminal]]:
    """`terminal_of(columns)`: a terminal for one job."""
    made: list[Terminal] = []

    def make(columns: int) -> Terminal:
        made.append(Terminal(columns))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


def finish(job: Any, process: JobProcess, terminal: Terminal) -> Any:
    finished = job.finish(process)
    terminal.wait_until_over()
    return finished


def shows_three_bars(terminal: Terminal) -> bool:
    return len(terminal.bars()) == len(EXCHANGES)


def assert_lines_are_whole_and_told_once(terminal: Terminal, report: dict[str, Any]) -> None:
    """Neither bars nor other lines were in the way of any log line."""
    assert not PIECE_OF_BAR.search(terminal.text())
    lines = terminal.log_lines()
    retries = [line for line in lines if "tryingagain" in line]
    parts = [part for each in report["tickers"] for part in each["exchanges"].values()]
    assert len(retries) == sum(part["retries"] for part in parts)
    assert all(RETRY.fullmatch(line) for line in retries)
    others = [line for line in lines if line not in retries]
    assert len(others) == len(set(others))
    assert "INFO:Symbolvalidation:2/2symbolsmeetminimum3exchangerequirement" in others


@pytest.mark.parametrize("columns", [80, 140])
def test_bars_and_flying_retries_neither_cut_nor_repeat_each_other(
    job: Any, market: ExchangeSimulator, terminal_of: Any, columns: int
) -> None:
    market.set_faults([Fault("coinbaseexchange", "503", 0.3)])
    terminal = terminal_of(columns)
    process = job.start(terminal=terminal)
    terminal.wait_until(shows_three_bars)
    terminal.wait_until(lambda shown: re.search(r"candles: about .* left, for \w+", shown.text()))
    assert terminal.text().count("Fetching candles") == 1
    assert not terminal.has_cursor
    finished = finish(job, process, terminal)

    assert_lines_are_whole_and_told_once(terminal, finished.report)
    assert terminal.has_cursor
    # A pipe gets what was asked for, and nothing else.
    assert "Run report" in finished.output
    assert "\x1b" not in finished.output
    assert "INFO" not in finished.output


@pytest.mark.parametrize(("columns", "other_columns"), [(80, 140), (140, 80)])
def test_a_window_that_is_pulled_wider_or_narrower_leaves_no_piece_of_a_bar(
    job: Any, market: ExchangeSimulator, terminal_of: Any, columns: int, other_columns: int
) -> None:
    terminal = terminal_of(columns)
    process = job.start(terminal=terminal)
    terminal.wait_until(shows_three_bars)
    terminal.resize(other_columns)
    market.set_faults([Fault("coinbaseexchange", "503", 0.3)])
    terminal.wait_until(lambda shown: shown.text().count("trying again") > 3)
    terminal.wait_until(shows_three_bars)
    finished = finish(job, process, terminal)

    assert_lines_are_whole_and_told_once(terminal, finished.report)


def test_ctrl_c_is_answered_at_once_and_a_report_follows(
    job: Any, market: ExchangeSimulator, terminal_of: Any
) -> None:
    job.use(market, per_minute=60)
    terminal = terminal_of(80)
    process = job.start(terminal=terminal, is_output_shown=True)
    terminal.wait_until(shows_three_bars)
    terminal.press(CTRL_C)
    terminal.wait_until(lambda shown: unspaced(ANSWER) in unspaced(shown.text()))
    finished = finish(job, process, terminal)

    assert finished.exit_code == 0
    assert finished.report["stop_reason"] == "SIGINT"
    shown = unspaced(terminal.text())
    assert shown.count(unspaced(ANSWER)) == 1
    assert unspaced("stopped by SIGINT") in shown.partition(unspaced("Run report"))[2]
    assert not terminal.bars()
    assert "Fetching candles" not in terminal.text()
    assert terminal.has_cursor


def test_a_second_ctrl_c_leaves_at_once_with_a_last_word_on_what_is_stored(
    job: Any, market: ExchangeSimulator, terminal_of: Any
) -> None:
    market.set_faults([Fault("all", "stall", 1)])
    terminal = terminal_of(80)
    process = job.start(terminal=terminal, is_output_shown=True, request_timeout_seconds=600)
    terminal.wait_until(shows_three_bars)
    terminal.press(CTRL_C)
    terminal.wait_until(lambda shown: unspaced(ANSWER) in unspaced(shown.text()))
    terminal.press(CTRL_C)
    finished = finish(job, process, terminal)

    assert finished.exit_code == LEFT_AT_ONCE
    assert finished.report is None
    assert terminal.log_lines()[-2:] == [unspaced(ANSWER), unspaced(LAST_WORDS)]
    assert not PIECE_OF_BAR.search(terminal.text())
    assert terminal.has_cursor
    market.set_faults([])
    job.use(market)
    job.run_well()  # What it held is free.


def test_looking_for_a_markets_first_candle_is_told_beside_its_bar(
    job: Any, market: ExchangeSimulator, terminal_of: Any
) -> None:
    job.use(market, per_minute=60)
    terminal = terminal_of(80)
    process = job.start(terminal=terminal, backfill_start_date="2009-01-01")
    terminal.wait_until(
        lambda shown: any("looking for the first candle of" in row for row in shown.bars())
    )
    process.kill()
    terminal.wait_until_over()


@pytest.mark.parametrize(
    ("command", "last_words"),
    [
        ("merge", r"Merged 2 symbols again in \d+\.\d s: 0 merged candles changed\."),
        ("export", r"Exported 2 symbols in \d+\.\d s: 0 files written\."),
    ],
)
def test_merge_and_export_leave_nothing_but_what_they_did(
    job: Any, market: ExchangeSimulator, terminal_of: Any, command: str, last_words: str
) -> None:
    job.use(market)
    job.run_well(backfill_start_date="1_days_ago")
    terminal = terminal_of(80)
    process = job.start(
        command, backfill_start_date="1_days_ago", terminal=terminal, is_output_shown=True
    )
    finished = finish(job, process, terminal)

    assert finished.exit_code == 0
    assert re.search(last_words, terminal.text())
    assert not terminal.bars()
    assert "so far" not in terminal.text()
    assert terminal.has_cursor
