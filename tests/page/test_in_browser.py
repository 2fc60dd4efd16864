"""The page as a person meets it: in a real headless Chromium, from disk, with no network."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest
from browser import HOW_TO_GET_ONE, find_chromium, running_chromium
from playwright.sync_api import Browser, Page, expect
from storing import put

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord, Wanted
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe
from candle_ingestor.page import content
from candle_ingestor.page.bars import bar_columns
from candle_ingestor.page.document import page_html
from candle_ingestor.stores.sqlite.store import SqliteStore

MINUTE, HOUR = "60", "3600"
SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = "<img src=x onerror='window.hacked = 1'>"


# Of the module, not of the session: its event loop must not be there when other tests need one.
@pytest.fixture(scope="module")
def chromium(missing_real_part: Callable[[str], NoReturn]) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        missing_real_part(HOW_TO_GET_ONE)
    with running_chromium(program) as browser:
        yield browser


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page. At the end of the test, it has asked for nothing and complained of nothing."""
    contexts, complaints, requests = [], [], []

    def opened(path: Path, *, width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(path.as_uri())
        requests.remove(path.as_uri())
        if options.get("java_script_enabled", True):
            tab.wait_for_selector("html[data-ready]", state="attached")
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
    assert not requests


def shown_length(tab: Page) -> str | None:
    return tab.get_attribute("#chart", "data-length")


def wait_for_length(tab: Page, length: str) -> None:
    expect(tab.locator("#chart")).to_have_attribute("data-length", length)


def shown_range(tab: Page) -> tuple[int, int]:
    chart = tab.locator("#chart")
    return int(chart.get_attribute("data-from") or 0), int(chart.get_attribute("data-to") or 0)


def wait_for_start(tab: Page, start: int) -> None:
    expect(tab.locator("#chart")).to_have_attribute("data-from", str(start))


def wait_for_another_range(tab: Page, before: tuple[int, int]) -> tuple[int, int]:
    expect(tab.locator("#chart")).not_to_have_attribute("data-from", str(before[0]))
    return shown_range(tab)


def hover(tab: Page, share: float, down: float = 0.4) -> None:
    """Moves the pointer over the chart, at a share of its candles' width, and so far down."""
    canvas = tab.locator("#chart canvas").first.bounding_box()
    assert canvas is not None
    place = canvas["x"] + canvas["width"] * share, canvas["y"] + canvas["height"] * down
    tab.mouse.move(*place, steps=5)


def go_to(tab: Page, words: str) -> None:
    """Chooses a place worth looking at, and waits for its minutes."""
    place = tab.locator("#place option", has_text=words).get_attribute("value")
    tab.select_option("#place", place)
    wait_for_length(tab, MINUTE)
    tab.locator("#chart").scroll_into_view_if_needed()


def test_it_shows_what_is_stored_in_figures_and_tables(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    tiles = tab.locator(".tile").all_inner_texts()
    # 30 days of 1,440 minutes, of which two days and two hours are missing.
    assert [re.sub(r"\s+", " ", tile) for tile in tiles[:3]] == [
        "Complete 93.05 % 3,000 of 43,200 missing",
        "Symbols 1 4 series",
        "Open gaps 4 of all series; 0 that nothing fills",
    ]
    gaps = tab.locator("#gaps tbody tr")
    assert gaps.count() == 4
    worst = gaps.first.inner_text()
    assert "2024-01-20 00:00\t2024-01-22 00:00\t2,880\tbelow_minimum" in worst
    assert "kraken" in tab.locator("#gaps").inner_text()
    runs = tab.get_by_role("region", name="The last runs, the newest first")
    assert "ingest\tdegraded\t4.2 s\t17\t1,234" in runs.inner_text()
    assert "kraken answered <b>503</b>" in runs.inner_text()
    months = tab.get_by_role("region", name="Months of BTC/USD", include_hidden=True)
    assert "2024-01" in (months.text_content() or "")


def test_what_is_told_in_words_is_seen_whole_on_a_wide_screen(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    for section in ("#gaps", "#findings"):
        assert tab.locator(f"{section} tbody tr").count() > 0
        widths = tab.locator(f"{section} .wide").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert widths[0] == widths[1]


def test_all_of_the_time_is_shown_first_and_the_wheel_leads_to_minutes(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    wait_for_start(tab, 1_704_067_200)
    assert shown_range(tab) == (1_704_067_200, 1_706_659_200)
    assert shown_length(tab) == HOUR
    tab.locator("#chart").scroll_into_view_if_needed()
    hover(tab, 0.95)
    for _ in range(60):
        tab.mouse.wheel(0, -400)
    wait_for_length(tab, MINUTE)
    start, end = shown_range(tab)
    assert end - start < 86_400
    expect(tab.locator("#resolution")).to_contain_text("a candle is 1 minute.")


def test_minutes_are_the_stored_candles_to_the_last_digit(
    market_page: Path, open_tab: Callable[..., Page], stored: Callable[..., pl.DataFrame]
) -> None:
    tab = open_tab(market_page)
    tab.click("[data-range='7200']")
    wait_for_length(tab, MINUTE)
    tab.click("#shown-candles summary")
    table = tab.locator("#shown-candles table")
    rows = [row.split("\t") for row in table.locator("tbody").inner_text().splitlines()]
    expected = stored("2024-01-30T22:00", "2024-01-31T00:00").reverse()
    assert len(rows) == expected.height == 120
    for row, (_, open_, high, low, close, *_) in zip(rows, expected.rows(), strict=True):
        assert [float(cell.replace(",", "")) for cell in row[1:5]] == [
            pytest.approx(price, abs=0.0051) for price in (open_, high, low, close)
        ]
    assert rows[0][0] == "2024-01-30 23:59"
    headings = table.locator("thead").inner_text().strip().split("\t")
    assert headings[6:] == ["coinbaseexchange", "bitstamp", "kraken", "Spread, bp"]


def test_the_keyboard_zooms_moves_and_goes_to_both_ends(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    wait_for_start(tab, 1_704_067_200)
    whole = shown_range(tab)
    tab.focus("#chart")
    tab.keyboard.press("+")
    closer = wait_for_another_range(tab, whole)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)
    tab.keyboard.press("ArrowLeft")
    earlier = wait_for_another_range(tab, closer)
    assert earlier[0] < closer[0]
    assert earlier[1] - earlier[0] == pytest.approx(closer[1] - closer[0], rel=0.01)
    tab.keyboard.press("End")
    newest = wait_for_another_range(tab, earlier)
    assert newest[1] == whole[1]
    tab.keyboard.press("Home")
    assert wait_for_another_range(tab, newest) == whole


def test_dragging_moves_the_time_shown(market_page: Path, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(market_page)
    tab.click("[data-range='86400']")
    wait_for_start(tab, 1_706_572_800)
    before = shown_range(tab)
    tab.locator("#chart").scroll_into_view_if_needed()
    hover(tab, 0.3)
    tab.mouse.down()
    hover(tab, 0.7)
    tab.mouse.up()
    assert wait_for_another_range(tab, before)[0] < before[0] - 20_000


def test_a_gap_tells_its_reason_and_what_to_do_under_the_pointer(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    go_to(tab, "gap: fetch_failed")
    hover(tab, 0.5)
    tip = tab.locator("#tip")
    expect(tip).to_contain_text("Gap 2024-01-10 03:00 to 2024-01-10 05:00, open")
    expect(tip).to_contain_text("fetch_failed: the exchange did not answer")
    expect(tip).to_contain_text("candle-ingestor --exchanges=coinbaseexchange,bitstamp,kraken")
    expect(tab.locator("#readout")).to_contain_text("no candle")
    # Where there is no room beside the pointer or below it, the tip stays in the window.
    tab.locator("#chart").evaluate("chart => chart.scrollIntoView({block: 'end'})")
    hover(tab, 0.82, down=0.97)
    expect(tip).to_be_visible()
    box = tip.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1280
    assert box["y"] + box["height"] <= 900
    hover(tab, 0.02)
    expect(tip).to_be_hidden()


def test_a_line_breaks_where_more_is_missing_than_a_silent_market_explains(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    tab.goto("about:blank")
    tab.add_script_tag(path=Path(content.__file__).parent / "assets" / "bars.js")

    def unseen(length: int, *times: int) -> list[int]:
        """Where lines end of bars of that length, of a market with candles of a minute."""
        found: list[int] = tab.evaluate(
            """([length, times]) => {
                const column = times.map(() => 1);
                const bars = {times, closes: [column], spread: column};
                for (const name of ["open", "high", "low", "close", "volume"]) bars[name] = column;
                const span = [times[0], times.at(-1) + length];
                const points = pointsOf(bars, {length}, span, {}, 12 * 60);
                return points.closes[0].filter((one) => one.color).map((one) => one.time);
            }""",
            [length, list(times)],
        )
        return found

    assert unseen(60, 0, 60, 780, 1560) == [780]
    assert unseen(3600, 0, 3600, 10800) == [3600]
    assert unseen(86400, 0, 86400, 172800, 345600) == [172800]


def test_an_excluded_minute_is_marked_and_told(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    go_to(tab, "excluded: kraken")
    tip, found = tab.locator("#tip"), ""
    for step in range(45, 56):
        hover(tab, step / 100)
        tab.wait_for_timeout(30)
        found = tip.inner_text() if tip.is_visible() else ""
        if "excluded" in found:
            break
    assert "2024-01-05 04:05 excluded: kraken was left out" in found
    assert re.search(r"its high is (19|20)\.\d\d % above the median", found)
    # The quality watch has found the same bar.
    assert "price_spike: A single bar" in found
    # The exchange's own close is there all the same.
    assert "kraken" in tab.locator("#readout").inner_text()


def test_the_calendar_leads_to_a_day_by_click_and_by_key(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    day = tab.locator("#calendar [data-day='9']")
    assert "some" in (day.get_attribute("class") or "")
    day.click()
    expect(tab.locator("#day")).to_have_text(
        "2024-01-10, aggregated: 91.66 % complete, 1,320 candles, 0 without a trade, 120 missing "
        "(fetch_failed)"
    )
    wait_for_start(tab, 1704844800)
    assert shown_range(tab) == (1_704_844_800, 1_704_931_200)
    tab.focus("#calendar")
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#day")).to_contain_text("2024-01-11, aggregated: 100 % complete")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#day")).to_contain_text("2024-01-18")
    tab.keyboard.press("Enter")
    wait_for_start(tab, 1705536000)


def test_the_calendar_shows_each_exchange(market_page: Path, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(market_page)
    tab.select_option("#calendar-series", label="bitstamp")
    cell = tab.locator("#calendar [data-day='20']")
    expect(cell).to_have_class(re.compile("full"))
    cell.hover()
    expect(tab.locator("#day")).to_contain_text(
        "bitstamp: 100 % complete, 1,425 candles, 15 without"
    )


def test_what_is_drawn_can_be_switched_off(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    place = tab.locator("#place option", has_text="gap: fetch_failed").get_attribute("value")
    tab.select_option("#place", place)
    wait_for_length(tab, MINUTE)
    tab.get_by_label("gaps and findings").uncheck()
    tab.get_by_role("checkbox", name="bitstamp").uncheck()
    tab.locator("#chart").scroll_into_view_if_needed()
    hover(tab, 0.5)
    expect(tab.locator("#readout")).to_contain_text("no candle")
    expect(tab.locator("#tip")).to_be_hidden()


def test_a_narrow_screen_needs_no_sideways_scrolling(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page, width=390, height=844, has_touch=True, is_mobile=True)
    # Wide tables scroll in their own boxes, also those that are opened, and not the page with them.
    tab.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    boxes = tab.locator("#gaps .wide").evaluate("box => [box.scrollWidth, box.clientWidth]")
    assert boxes[0] > boxes[1]
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    chart = tab.locator("#chart").bounding_box()
    assert chart is not None
    assert chart["width"] > 300
    tab.tap("[data-range='7200']")
    wait_for_length(tab, MINUTE)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_it_follows_the_colours_of_the_system(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page, color_scheme="dark")
    corner = (
        "document.querySelector('#chart canvas').getContext('2d').getImageData(2, 2, 1, 1).data[0]"
    )
    assert tab.evaluate(corner) < 60
    tab.click("[data-range='7200']")
    wait_for_length(tab, MINUTE)
    before = shown_range(tab)
    tab.emulate_media(color_scheme="light")
    expect(tab.locator("html")).to_have_attribute("data-colours", "light")
    assert tab.evaluate(corner) > 200
    assert shown_range(tab) == before


def test_without_scripts_all_tables_are_there(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page, java_script_enabled=False)
    assert "the charts are not drawn" in tab.locator("noscript").inner_text()
    assert tab.locator("#gaps tbody tr").count() == 4


def test_tables_and_controls_have_names_for_a_screen_reader(
    market_page: Path, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(market_page)
    for table in tab.locator("table:has(caption)").all():
        assert table.locator("caption").text_content()
        assert table.locator("thead th[scope=col]").count() > 2
    for control in tab.locator("button, select, input, [tabindex='0']").all():
        name = control.evaluate(
            "e => e.ariaLabel || e.innerText || [...(e.labels ?? [])].map(l => l.innerText).join()"
        )
        assert name, control.evaluate("e => e.outerHTML.slice(0, 200)")
    # By keys alone: from the top of the page to the gaps, past the charts.
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("location.hash") == "#gaps"


def test_a_script_in_a_name_is_shown_and_does_not_run(
    tmp_path: Path, open_tab: Callable[..., Page]
) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_html(hostile_page()), encoding="utf-8")
    tab = open_tab(path)
    expect(tab.locator("#head option")).to_contain_text(f"{SCRIPT}/{IMAGE} </script>{SCRIPT}")
    expect(tab.locator("#chart-heading")).to_contain_text(SCRIPT)
    assert IMAGE in tab.get_by_role("region", name="Findings of").inner_text()
    assert SCRIPT in tab.get_by_role("region", name="The last runs").inner_text()
    tab.click("#shown-candles summary")
    assert SCRIPT in tab.locator("#shown-candles caption").inner_text()
    hover(tab, 0.9)
    expect(tab.locator("#tip")).to_contain_text(IMAGE)
    tab.hover("#calendar [data-day='0']")
    expect(tab.locator("#day")).to_contain_text(f"</script>{SCRIPT}")
    assert tab.locator("img").count() == 0
    assert tab.evaluate("window.hacked") is None


def test_no_script_runs_but_the_page_s_own(
    market_page: Path, tmp_path: Path, chromium: Browser
) -> None:
    html = market_page.read_text(encoding="utf-8")
    spoiled = html.replace("<main>", f"<main>{SCRIPT}{IMAGE}<img src='https://example.org/a.png'>")
    assert spoiled != html
    path = tmp_path / "page.html"
    path.write_text(spoiled, encoding="utf-8")
    tab = chromium.new_page()
    refused = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready]", state="attached")
    assert tab.evaluate("window.hacked") is None
    # The script, the handler of the first picture, and the request of the second.
    assert len([text for text in refused if "Content Security Policy" in text]) >= 3
    tab.close()


@pytest.mark.parametrize("minutes", [1, 240, 1440])
def test_a_series_of_which_nothing_is_known_yet_is_shown_as_that(
    minutes: int, tmp_path: Path, open_tab: Callable[..., Page], run_job: Any
) -> None:
    path = tmp_path / "candles.sqlite"
    series = Series("kraken", Symbol("BTC", "USD"), Timeframe(minutes))
    with closing(SqliteStore(path)) as store:
        put(store, series, record=SeriesRecord(wanted=Wanted(1_704_067_200_000)))
    page = tmp_path / "page.html"
    flags = [f"--sqlite_path={path}", f"--output={page}", "--now=2024-01-03T00:00:10Z"]
    done = run_job("report", "--format=html", *flags)
    assert done.returncode == 0, done.stderr
    tab = open_tab(page)
    assert "0.00 %" in tab.locator(".tile").first.inner_text()
    expect(tab.locator("#resolution")).to_contain_text("2024-01-01 00:00 to 2024-01-0")
    for button in (
        "#zoom-in",
        "#zoom-out",
        "#pan-left",
        "[data-range='7200']",
        "[data-range='all']",
    ):
        tab.click(button)
    expect(tab.locator("#resolution")).to_contain_text("2024-01-01 00:00 to 2024-01-0")


def test_an_empty_store_makes_a_page_that_says_so(
    tmp_path: Path, open_tab: Callable[..., Page], run_job: Any
) -> None:
    page = tmp_path / "page.html"
    flags = ["--format=html", f"--sqlite_path={tmp_path}/none.sqlite", f"--output={page}"]
    assert run_job("report", *flags).returncode == 0
    tab = open_tab(page)
    assert "The store holds nothing yet" in tab.locator("main").inner_text()


def hostile_page() -> content.Page:
    """A page whose every text tries to be more than a text."""
    series = Series(f"</script>{SCRIPT}", Symbol(SCRIPT, IMAGE), Timeframe(1))
    start_ms = 1_704_067_200_000
    span = Interval(start_ms, start_ms + 20 * MINUTE_MS)
    rows = [(span.start_ms + i * MINUTE_MS, 1.0, 3.0, 0.5, 2.0, 1.0, None) for i in range(10)]
    table = pl.DataFrame(rows, schema=bar_columns(0), orient="row").with_columns(
        pl.col("spread_bp").cast(pl.Float64)
    )
    late = Interval(start_ms + 10 * MINUTE_MS, span.end_ms)
    gap_file = content.PageFile(SCRIPT, "javascript:window.hacked=1")
    gap = content.PageGap(series, late, 10, IMAGE, SCRIPT, None, SCRIPT, (gap_file,), IMAGE)
    status = content.PageSeries(series, start_ms, start_ms, 3, 20, 10, 10, 0, (), 2, IMAGE)
    days = content.DayFacts(series, start_ms, [20], [10], [10])
    bars = content.Bars(MINUTE_MS, IntervalSet((span,)), table)
    mark = content.Mark(start_ms, "excluded", IMAGE, 9.0, SCRIPT)
    chart = content.Chart(span, (bars,), (days,), (mark,), 1, 0)
    finding = content.PageFinding(SCRIPT, IMAGE, late, IMAGE, {SCRIPT: 1.0}, 2.0)
    head = content.PageHead(status, (), chart, (gap,), (finding,))
    run = content.PageRun(SCRIPT, IMAGE, start_ms, 1.0, 1, 1, 1, 1, SCRIPT)
    return content.Page(SCRIPT, span.end_ms, (head,), (run,))
