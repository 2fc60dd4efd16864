"""The report as a person reads it, made of figures that the test chooses."""

import io
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from candle_ingestor.archives.publications import publications_of
from candle_ingestor.commands.completeness_table import complete_words, print_completeness
from candle_ingestor.completeness.figures import Figures
from candle_ingestor.completeness.next_steps import NextStep
from candle_ingestor.completeness.report import Attention, CompletenessReport, Total, Totals
from candle_ingestor.completeness.series_report import SeriesReport
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

MARCH = Month(2023, 3)
MINUTE, HOUR = Timeframe(1), Timeframe(60)
FULL = Figures(100, 100, 90)
SHORT = Figures(1000, 995, 900, {GapReason.REJECTED: 1, GapReason.FETCH_FAILED: 4})

Shown = Callable[..., list[str]]


@pytest.fixture
def shown() -> Shown:
    """`shown(totals, …)`: the lines in a terminal of 80 columns."""

    def lines(
        totals: Totals,
        attention: Sequence[Attention] = (),
        next_steps: Sequence[NextStep] = (),
        **parts: object,
    ) -> list[str]:
        report = CompletenessReport(
            store="a store",
            now_ms=MARCH.start_ms,
            filling=frozenset(),
            series=(),
            counted=(),
            totals=totals,
            attention=tuple(attention),
            next_steps=tuple(next_steps),
            downloads=parts.get("downloads", ()),  # type: ignore[arg-type]
        )
        text = io.StringIO()
        print_completeness(report, Console(file=text, width=80, highlight=False))
        return [line.rstrip() for line in text.getvalue().splitlines()]

    return lines


def totals_of(
    symbols: Sequence[Total] = (),
    *,
    tiers: Sequence[Total] = (),
    timeframes: Sequence[Total] = (),
    months: Sequence[Total] = (),
) -> Totals:
    return Totals(tuple(tiers), tuple(symbols), (), tuple(timeframes), tuple(months))


def row_of(lines: list[str], name: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(f"{name} "))
    return line.removeprefix(name).split()


def test_a_row_says_what_is_there_and_what_lacks_the_worst_reason_first(shown: Shown) -> None:
    lines = shown(totals_of([Total("BTC/USD", MINUTE, SHORT)]))

    assert row_of(lines, "BTC/USD") == [
        *("1,000", "900", "95", "99.5", "%"),
        *("4", "fetch_failed,", "1", "rejected"),
    ]


def test_no_more_than_all_is_a_hundred_percent(shown: Shown) -> None:
    nearly = Figures(1_000_000, 999_999, 999_999, {GapReason.REJECTED: 1})

    assert "99.99" in row_of(shown(totals_of([Total("BTC/USD", MINUTE, nearly)])), "BTC/USD")


def test_a_timeframe_is_named_where_there_are_several(shown: Shown) -> None:
    one = [Total("BTC/USD", MINUTE, FULL)]
    two = [*one, Total("BTC/USD", HOUR, FULL)]
    lengths = [Total("1m", MINUTE, FULL), Total("1h", HOUR, FULL)]

    alone = shown(totals_of(one, timeframes=lengths[:1]))
    both = shown(totals_of(two, timeframes=lengths))

    assert row_of(alone, "BTC/USD")[0] == "100"
    assert not any(line.startswith("timeframe") for line in alone)
    assert row_of(both, "BTC/USD 1m") == row_of(both, "BTC/USD 1h") == row_of(both, "1h")


def test_symbols_without_a_tier_are_named_so_where_others_have_one(shown: Shown) -> None:
    nameless = Total(None, MINUTE, FULL)

    without = shown(totals_of(tiers=[nameless]))
    some = shown(totals_of(tiers=[Total("TIER1", MINUTE, FULL), nameless]))

    assert not any(line.startswith("tier") for line in without)
    assert row_of(some, "TIER1") == row_of(some, "none")


def test_of_many_symbols_the_least_complete_are_shown_and_of_many_months_the_newest(
    shown: Shown,
) -> None:
    symbols = [Total(f"S{n:02}/USD", MINUTE, FULL) for n in range(40)]
    symbols.append(Total("ZZZ/USD", MINUTE, SHORT))
    months = [Total(f"20{n:02}-01", MINUTE, FULL) for n in range(30)]

    lines = shown(totals_of(symbols, months=months))

    names = [line.split()[0] for line in lines if "/USD" in line]
    assert names == ["ZZZ/USD", *(f"S{n:02}/USD" for n in range(19))]
    assert "and 21 more symbols; --format=json has all" in lines
    assert row_of(lines, "2029-01") == row_of(lines, "2006-01")
    assert not any(line.startswith("2005-01") for line in lines)
    assert "and 6 more earlier months; --format=json has all" in lines


def test_what_to_do_is_told_with_its_files_and_when_they_come(shown: Shown) -> None:
    kraken = Series("kraken", Symbol("BTC", "USD"), MINUTE)
    merged = Series.merged(kraken.symbol, MINUTE)
    (file,) = publications_of(kraken, IntervalSet((MARCH.interval,)))
    asset = SeriesReport(merged, None, SHORT, (), ())
    lacking = SeriesReport(kraken, None, Figures(9, 0, 0, {GapReason.BEYOND_REACH: 9}), (), ())
    step = NextStep("candle-ingestor import FOLDER", (file,), ((merged, 5), (kraken, 9)))

    lines = shown(totals_of(), [Attention(asset, (lacking,))], [step], downloads=(file,))
    text = " ".join(line.strip() for line in lines)

    assert "1 symbol needs attention:" in lines
    assert (
        "BTC/USD 1m is 99.5 % complete, 4 fetch_failed, 1 rejected; kraken lacks 9 beyond_reach"
        in text
    )
    assert (
        "1. This fills 5 of BTC/USD 1m, 9 of kraken BTC/USD 1m, once the file below is there: "
        "./candle-ingestor import FOLDER" in text
    )
    assert (
        "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip: 44,640 candles of kraken BTC/USD 1m, "
        "published after 2023-04-01" in text
    )
    assert "Nothing needs attention." in shown(totals_of())


def test_a_share_of_whole_hundredths_of_a_percent_is_told_as_it_is() -> None:
    assert complete_words(Figures(wanted=125, covered=23)) == "18.4 %"
    assert complete_words(Figures(wanted=100_000, covered=99_999)) == "99.99 %"
