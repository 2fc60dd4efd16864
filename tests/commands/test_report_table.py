"""The run report as a person reads it, short and full."""

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from candle_ingestor.commands.report_table import print_report
from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.session import RequestCounts
from candle_ingestor.ingest.report import (
    ExchangeTrouble,
    RunReport,
    SourceReport,
    TickerReport,
)
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.merge.deviations import Disagreement, Exclusion
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import TIME_LIMIT
from candle_ingestor.settle.outcome import TickerOutcome, Told

START_MS = 1_678_517_760_000  # 2023-03-11T06:56Z
MINUTE_MS = 60_000
EXCHANGES = ("kraken", "bitstamp", "binanceus")
DAY = 1440


def ticker(symbol: str = "BTC/USD", **missing: int) -> TickerReport:
    """A ticker of which a day is wanted, and so many minutes are missing by reason."""
    gaps = []
    start_ms = START_MS
    for reason, minutes in missing.items():
        end_ms = start_ms + minutes * MINUTE_MS
        gaps.append(Gap(Interval(start_ms, end_ms), GapReason(reason)))
        start_ms = end_ms
    known = DAY - sum(missing.values())
    outcome = TickerOutcome(
        symbol, gaps=gaps, wanted_candles=DAY, covered_candles=known, is_exported=True
    )
    sources = [
        SourceReport(
            Series(exchange, Symbol.parse(symbol), Timeframe(1)),
            SourceCounts(requests=3, seconds=1.0),
            candles=known,
            wanted_candles=DAY,
            gaps=gaps,
        )
        for exchange in EXCHANGES
    ]
    return TickerReport(outcome, sources)


def report_of(*tickers: TickerReport) -> RunReport:
    return RunReport(
        "run",
        START_MS,
        EXCHANGES,
        3,
        "1m",
        MINUTE_MS,
        list(tickers),
        finished_ms=START_MS + 12_340,
        max_price_deviation_pct=5.0,
        symbols_wanted=len(tickers),
        is_export_wanted=True,
        asked={exchange: RequestCounts(40, 2, 11.5) for exchange in EXCHANGES},
    )


def printed(report: RunReport, *, is_full: bool = False, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False)
    print_report(report, console, is_full=is_full)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue().splitlines()


def test_a_terminal_breaks_long_lines_between_words() -> None:
    console = Console(file=StringIO(), width=60, force_terminal=True, color_system=None)
    print_report(report_of(ticker(not_fetched=1000)), console)
    file = console.file
    assert isinstance(file, StringIO)

    assert [line.rstrip() for line in file.getvalue().splitlines()[-3:]] == [
        "BTC/USD 1,000 of 1,440 1m intervals missing, the first at",
        "2023-03-11T06:56Z: not_fetched 1,000",
        "Run ok in 12.3 s: 0 of 1 complete",
    ]


def test_a_report_of_fifty_symbols_with_nothing_wrong_is_short() -> None:
    lines = printed(report_of(*(ticker(f"COIN{n}/USD") for n in range(50))))

    assert len(lines) <= 15
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Run ok in 12.3 s: 50 of 50 complete"
    [row] = [line.split() for line in lines if line.startswith("bitstamp")]
    assert row == ["bitstamp", "40", "72,000", "11.5", "2", "0"]
    assert not any("COIN" in line for line in lines)


def test_what_is_missing_or_failed_has_a_line_each_the_worst_first() -> None:
    failed = ticker("A/USD", fetch_failed=5)
    failed.outcome.fail("5 candles could not be merged")
    failed.outcome.fail("another")
    others = [ticker("B/USD", not_fetched=7), ticker("C/USD"), ticker("D/USD", below_minimum=9)]
    young = ticker("E/USD", not_listed_yet=400)

    lines = printed(report_of(young, *others, failed))

    assert lines[-4:] == [
        (
            "A/USD failed: 5 candles could not be merged (and 1 more); 5 of 1,440 1m intervals "
            "missing, the first at 2023-03-11T06:56Z: fetch_failed 5"
        ),
        "D/USD 9 of 1,440 1m intervals missing, the first at 2023-03-11T06:56Z: below_minimum 9",
        "B/USD 7 of 1,440 1m intervals missing, the first at 2023-03-11T06:56Z: not_fetched 7",
        "Run failed in 12.3 s: 2 of 5 complete",
    ]


def test_of_what_is_missing_the_most_comes_first_and_time_before_the_market_is_left_out() -> None:
    part = ticker(not_listed_yet=40, fetch_failed=10, below_minimum=300)

    assert printed(report_of(part))[-2] == (
        "BTC/USD 310 of 1,400 1m intervals missing, the first at 2023-03-11T07:36Z: "
        "below_minimum 300, fetch_failed 10"
    )


def test_symbols_that_were_left_out_count_among_those_wanted() -> None:
    report = report_of(ticker())
    report.dropped = {f"COIN{n}/USD": ("kraken", "bitstamp") for n in range(7)}
    report.rejected_symbols = ["'!!' is no pair"]
    report.symbols_wanted = 9

    *_, dropped, rejected, last = printed(report)

    assert dropped.startswith("7 symbols left out: COIN0/USD (not listed on kraken, bitstamp), ")
    assert dropped.endswith("COIN4/USD (not listed on kraken, bitstamp) and 2 more")
    assert rejected == "1 symbol passed over: '!!' is no pair"
    assert last == "Run ok in 12.3 s: 1 of 9 complete"


def test_an_exchange_that_failed_has_its_errors_counted_and_told_once() -> None:
    report = report_of(ticker("A/USD"), ticker("B/USD"))
    for each in report.tickers:
        each.sources[0].failed_pages = 2
    report.troubles = {
        "kraken": ExchangeTrouble("kraken: 503", 4),
        "bitstamp": ExchangeTrouble("bitstamp: no answer"),
    }
    report.unavailable_exchanges = {"bitstamp": "bitstamp: no answer"}

    lines = printed(report)

    errors = {line.split()[0]: line.split()[5] for line in lines[3:6]}
    assert errors == {"kraken": "4", "bitstamp": "1", "binanceus": "0"}
    assert lines[6:] == [
        "kraken left 4 pages unanswered: kraken: 503",
        "bitstamp could not be used: bitstamp: no answer",
        "Run degraded in 12.3 s: 2 of 2 complete",
    ]


def exclude(part: TickerReport, exchange: str, count: int, *exclusions: Exclusion) -> None:
    part.outcome.merged.excluded = Counter({exchange: count})
    told: Told[Exclusion] = Told()
    told.add(exclusions)
    part.outcome.merged.exclusions_told[exchange] = told


def test_a_candle_that_was_left_out_is_told_with_when_and_how_far_off_it_was() -> None:
    part = ticker()
    exclude(part, "bitstamp", 1, Exclusion(START_MS, "bitstamp", "high", 12.0))

    assert printed(report_of(part))[-2:] == [
        (
            "1 candle of bitstamp left out, more than 5 % from the median: 2023-03-11T06:56Z, "
            "its high 12 % above"
        ),
        "Run ok in 12.3 s: 1 of 1 complete",
    ]


def test_of_many_candles_left_out_the_first_and_the_worst_are_told_of_all_symbols() -> None:
    bitcoin, ether = ticker("BTC/USD"), ticker("ETH/USD")
    later = START_MS + 6 * MINUTE_MS
    exclude(bitcoin, "bitstamp", 30, Exclusion(later, "bitstamp", "low", -31.25))
    exclude(ether, "bitstamp", 1, Exclusion(START_MS, "bitstamp", "high", 5.55))

    short = printed(report_of(bitcoin, ether))
    full = printed(report_of(bitcoin, ether), is_full=True)

    assert short[-2] == (
        "31 candles of bitstamp left out, more than 5 % from the median: first ETH/USD "
        "2023-03-11T06:56Z, its high 5.5 % above; worst BTC/USD 2023-03-11T07:02Z, "
        "its low 31.2 % below"
    )
    assert (
        "  1 candle of bitstamp left out, more than 5 % from the median: 2023-03-11T06:56Z, "
        "its high 5.5 % above" in full
    )


def test_a_disagreement_says_whose_price_is_above_whose_and_by_how_much() -> None:
    part = ticker()
    merged = part.outcome.merged
    merged.disagreements = 2
    merged.disagreements_told.add(
        [
            Disagreement(START_MS, "high", "bitstamp", "kraken", 11.2),
            Disagreement(START_MS + MINUTE_MS, "low", "kraken", "bitstamp", 40.0),
        ]
    )

    assert printed(report_of(part))[-2] == (
        "2 minutes in which exchanges differ, more than 5 % from their median, with none left out: "
        "first 2023-03-11T06:56Z, bitstamp's high 11.2 % above kraken's; "
        "worst 2023-03-11T06:57Z, kraken's low 40 % above bitstamp's"
    )


@pytest.mark.parametrize(
    ("reason", "words"), [("SIGINT", "by SIGINT"), (TIME_LIMIT, "by its time limit")]
)
def test_a_stopped_run_says_how_far_it_came_and_that_the_same_command_goes_on(
    reason: str, words: str
) -> None:
    report = report_of(ticker("A/USD", not_fetched=1400), ticker("B/USD", not_listed_yet=1000))
    report.stop_reason = reason

    assert printed(report)[-1] == (
        f"Run stopped {words} after 12.3 s: 1 of 2 complete, 25 % of everything wanted is known "
        "(1,440 of 5,640 1m intervals on all exchanges). The same command goes on from there."
    )


@pytest.mark.parametrize(
    ("exported", "words"),
    [((False, False), "No CSV was written"), ((True, False), "The CSV of 1 of 2 symbols was not")],
)
def test_a_stopped_run_that_left_the_csv_names_the_command_that_writes_it(
    exported: tuple[bool, ...], words: str
) -> None:
    report = report_of(ticker("A/USD"), ticker("B/USD"))
    report.stop_reason = "SIGTERM"
    for part, is_exported in zip(report.tickers, exported, strict=True):
        part.outcome.is_exported = is_exported

    ended, last = printed(report)[-2:]

    assert f"{sum(exported)} of 2 complete, 100 % of everything wanted is known" in ended
    assert last.startswith(words)
    assert "the command export with the same flags" in last


def test_a_run_that_did_not_want_csv_misses_none() -> None:
    report = report_of(ticker())
    report.stop_reason = "SIGTERM"
    report.is_export_wanted = report.tickers[0].outcome.is_exported = False

    assert "1 of 1 complete" in printed(report)[-1]


def test_a_run_that_a_dependency_ended_is_not_called_complete() -> None:
    part = ticker(not_fetched=1439)
    part.outcome.is_exported = False
    report = report_of(part)
    report.failure = DependencyError("InfluxDB is down")
    report.error = str(report.failure)
    report.stop_reason = "SIGTERM"

    ended, last = printed(report)[-2:]

    assert ended.startswith(
        "Run failed, stopped by SIGTERM, after 12.3 s: 0 of 1 complete, less than 1 % of"
    )
    assert last.startswith("No CSV was written")


def test_the_full_report_has_every_symbol_on_every_exchange_and_what_each_lacks() -> None:
    part = ticker(below_minimum=5)
    for source in part.sources[1:]:
        source.gaps = []
    part.stand_ins = {"bitstamp": "BTC/USDT"}
    part.outcome.rule_changes = ["min_exchanges: 1 -> 2"]
    for n in range(12):
        part.outcome.fail(f"failure {n}")

    lines = printed(report_of(part), is_full=True)

    assert next(line.split() for line in lines if line.startswith("  kraken ")) == [
        *("kraken", "3", "1,435", "0", "0", "0", "0", "1.0")
    ]
    assert lines[-17:-11] == [
        "BTC/USD: 1,435 of 1,440 1m intervals known",
        "  missing: below_minimum 5",
        "  kraken lacks: below_minimum 5",
        "  bitstamp serves BTC/USDT in place of BTC/USD",
        "  merged by other rules from here on: min_exchanges: 1 -> 2",
        "  failed: failure 0",
    ]
    assert lines[-2:] == ["  and 2 more failures", "Run failed in 12.3 s: 0 of 1 complete"]


def test_stand_ins_have_a_line_an_exchange() -> None:
    parts = [ticker(f"COIN{n}/USD") for n in range(6)]
    for part in parts:
        part.stand_ins = {"kraken": part.symbol.replace("USD", "USDT")}

    [line] = [line for line in printed(report_of(*parts)) if "serves" in line]

    assert line.startswith("kraken serves COIN0/USDT in place of COIN0/USD, COIN1/USDT ")
    assert line.endswith(" and 1 more")


def test_symbols_that_are_merged_by_other_rules_have_a_line_a_change() -> None:
    parts = [ticker(f"COIN{n}/USD") for n in range(3)]
    for part, change in zip(parts, ("1 -> 2", "1 -> 2", "3 -> 2"), strict=True):
        part.outcome.rule_changes = [f"min_exchanges: {change}"]

    assert printed(report_of(*parts))[-3:-1] == [
        "merged by other rules from here on: min_exchanges: 1 -> 2 (COIN0/USD, COIN1/USD)",
        "merged by other rules from here on: min_exchanges: 3 -> 2 (COIN2/USD)",
    ]


def test_a_file_that_is_not_published_yet_is_not_told_to_be_got() -> None:
    report = report_of(ticker(beyond_reach=100))

    [early] = [line for line in printed(report, width=2000) if "no longer answers" in line]
    report.finished_ms = START_MS + 30 * DAY * MINUTE_MS
    [late] = [line for line in printed(report, width=2000) if "no longer answers" in line]

    file = "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip"
    assert f"{file} is not published before 2023-04-01, at https://" in early
    assert "get them" not in early
    assert f"Its history files have them: {file}; get them from https://" in late
    assert "not published" not in late
