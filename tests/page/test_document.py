"""The file itself: what it carries, what it may do, and how it is made."""

import base64
import hashlib
import json
import re
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any

import pytest
from storing import covering, put

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.page import library
from candle_ingestor.page.content import Chart, Page, PageGap, PageHead, PageSeries
from candle_ingestor.page.document import page_html
from candle_ingestor.page.elements import Column, json_script, link, percent_of, table
from candle_ingestor.page.reading import ChartReading, MarketReading, MarketsReading
from candle_ingestor.page.tables import gaps_table
from candle_ingestor.quality.watching import MarketWatch, markets_of
from candle_ingestor.stores.sqlite.store import SqliteStore

# As TradingView publishes version 5.1.0.
LIBRARY_SHA256 = "756b0ba9f58930226d6b8b9d47ad310448ab85d799ea1f7c2c02304777c10b52"
START_MS = 1_704_067_200_000
HOSTILE = "</script><script>x</script><!--&\u2028"


@pytest.fixture(scope="module")
def html(market_page: Path) -> str:
    return market_page.read_text(encoding="utf-8")


def test_the_chart_library_is_the_published_one_with_its_notice() -> None:
    script = library.library_script()
    assert hashlib.sha256(script.encode()).hexdigest() == LIBRARY_SHA256
    assert library.COPYRIGHT in script[:400]
    assert "Licensed under Apache License 2.0" in script[:400]


def test_the_page_names_the_library_its_owner_and_its_licence(html: str) -> None:
    footer = html.partition("<footer>")[2].partition("</footer>")[0]
    assert library.NAME in footer
    assert f'href="{library.HOME}"' in footer
    assert f'href="{library.LICENCE_PAGE}"' in footer
    assert library.COPYRIGHT in footer


def test_the_policy_allows_the_two_scripts_of_the_page_and_no_request(html: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert found is not None
    rules = dict(rule.split(" ", 1) for rule in found[1].split("; "))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 2
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert rules["script-src"] == " ".join(f"'sha256-{one}'" for one in hashes)
    assert not re.search(
        r"<(link|img|iframe|object|embed)\b|@import|url\(|\bon\w+=", html.partition("<script")[0]
    )


def test_each_block_that_is_named_is_there(html: str) -> None:
    value = page_data(html)
    names = [level["block"] for head in value["heads"] for level in head["levels"]]
    names += [head["days"]["block"] for head in value["heads"]]
    found = re.findall(r'<script type="text/plain" id="([^"]+)">([^<>&]+)</script>', html)
    assert sorted(names) == sorted(name for name, _ in found)


def test_the_same_candles_make_the_same_page(market: Path) -> None:
    page = Page("the SQLite store x", 0, ())
    assert page_html(page) == page_html(page)
    assert "holds nothing yet" in page_html(page)


def test_no_text_breaks_out_of_the_block_of_json() -> None:
    block = json_script("name", {"text": HOSTILE})
    inside = block.removeprefix('<script type="application/json" id="name">')
    inside = inside.removesuffix("</script>")
    assert not set("<>&\u2028") & set(inside)
    assert json.loads(inside) == {"text": HOSTILE}


def test_cells_and_links_are_texts() -> None:
    made = table(HOSTILE, [Column(HOSTILE)], [[HOSTILE]], empty="")
    assert "<script" not in made
    assert made.count(escape(HOSTILE)) == 4
    assert link("<b>", "javascript:x") == "&lt;b&gt;"
    assert (
        link("file", 'https://a.b/"c') == '<a href="https://a.b/&quot;c" rel="noreferrer">file</a>'
    )


def test_the_worst_gap_of_all_symbols_is_shown_however_many_are_filled() -> None:
    minute = Timeframe(1)

    at_all = Interval(START_MS, START_MS + DAY_MS)

    def head(base: str, *gaps: tuple[str, int]) -> PageHead:
        series = Series.merged(Symbol(base, "USD"), minute)
        listed = tuple(
            PageGap(series, at_all, size, "fetch_failed", status) for status, size in gaps
        )
        status = PageSeries(series, None, None, None, 0, 0, 0, 0)
        return PageHead(status, (), Chart(at_all, (), ()), listed)

    heads = head("AAA", *[("filled", 10)] * 400), head("BTC", ("open", 44_640))
    shown = str(gaps_table(heads))

    assert shown.index("BTC/USD") < shown.index("AAA/USD")
    assert "And 101 more: candle-ingestor gaps" in shown


def test_only_all_of_it_is_a_hundred_percent() -> None:
    assert percent_of(999_999, 1_000_000) == "99.99 %"
    assert percent_of(5, 5) == "100 %"
    assert percent_of(0, 0) is None


def test_no_more_than_a_month_of_candles_is_read_at_once(market: Path) -> None:
    with closing(WatchedStore(market)) as store:
        head = Series.merged(Symbol("BTC", "USD"), Timeframe(1))
        ledger = Ledger(store)
        reading = ChartReading(ledger, head, 4, 1_706_659_200_000)
        (compared,) = markets_of(ledger, [head])
        read = MarketReading([reading], MarketWatch(ledger, compared))
        markets, months = MarketsReading(ledger, [read]), []
        assert list(markets.read(lambda: months.append(len(store.asked)))) == [read]
        assert len(months) == markets.months == 1
        asked = list(store.asked)
        chart = reading.chart([])
    assert {series.exchange for series, _ in asked} == {
        *("aggregated", "coinbaseexchange", "bitstamp", "kraken")
    }
    assert max(interval.duration_ms for _, interval in store.asked) <= 31 * DAY_MS
    # Once for both, the chart and the watch.
    assert len(asked) == len(set(asked)) == 4
    # Every minute of the store counts, whatever length is shown.
    assert sum(chart.days[1].candles) == 42_754
    assert chart.excluded == 1
    (mark,) = chart.marks
    assert (mark.exchange, mark.kind) == ("kraken", "excluded")


def test_html_is_of_the_report_and_needs_a_file(market: Path, run_job: Any) -> None:
    refused = run_job("status", "--format=html", f"--sqlite_path={market}")
    assert refused.returncode == 2
    assert "--format=html goes with report" in refused.stderr
    for flag in ("--format=html", "--open"):
        refused = run_job("report", flag, f"--sqlite_path={market}")
        assert refused.returncode == 2
        assert f"{flag}: add --output=PATH" in refused.stderr


def test_an_exchange_that_is_not_asked_for_is_drawn_and_not_told_of(
    market: Path, tmp_path: Path, run_job: Any
) -> None:
    page = tmp_path / "page.html"
    flags = ["--format=html", f"--sqlite_path={market}", f"--output={page}"]
    done = run_job("report", *flags, "--exchanges=kraken", "--now=2024-01-31T00:00:10Z")
    assert done.returncode == 0, done.stderr
    html = page.read_text(encoding="utf-8")
    (head,) = page_data(html)["heads"]
    # All lines have their names: the columns are those of every exchange.
    assert head["exchanges"] == ["coinbaseexchange", "bitstamp", "kraken"]
    assert "&emsp;kraken" in html
    assert "&emsp;bitstamp" not in html


def test_open_shows_the_page_in_the_browser_that_the_system_names(
    market: Path, tmp_path: Path, run_job: Any
) -> None:
    page, told = tmp_path / "page.html", tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o755)
    flags = ["--format=html", f"--sqlite_path={market}", f"--output={page}", "--open"]
    done = run_job("report", *flags, BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    assert told.read_text().strip() == page.as_uri()


def page_data(html: str) -> dict[str, Any]:
    found = re.search(r'id="page-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


class WatchedStore(SqliteStore):
    """Remembers which candles it was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[tuple[Series, Interval]] = []

    def read_candles(self, series: Series, interval: Interval) -> Any:
        self.asked.append((series, interval))
        return super().read_candles(series, interval)


def test_a_series_that_no_run_wants_is_not_behind_as_the_command_status_says(
    tmp_path: Path, run_job: Any
) -> None:
    series = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
    with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
        put(store, series, None, covering(IntervalSet.of(START_MS, START_MS + DAY_MS)))
    flags = [f"--sqlite_path={tmp_path}/candles.sqlite", "--now=2024-01-05T00:00:10Z"]
    told = run_job("status", "--format=json", *flags)
    assert told.returncode == 0, told.stderr
    (row,) = json.loads(told.stdout)["series"]
    page = tmp_path / "page.html"
    assert run_job("report", "--format=html", f"--output={page}", *flags).returncode == 0

    assert row["minutes_behind"] == 0
    furthest = re.search(r"<dt>Furthest behind</dt><dd><strong>([^<]*)<", page.read_text("utf-8"))
    assert furthest is not None
    assert furthest[1] == "up to date"
