"""A real headless Chromium: where it is, and how long it takes to paint a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HOW_TO_GET_ONE = "chromium; on Debian: apt-get install chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((seen) => {
  const [first] = seen.getEntriesByName("first-contentful-paint");
  if (first) done(first.startTime / 1000);
}).observe({ type: "paint", buffered: true }))"""


def find_chromium() -> str | None:
    """The program; None where none is installed."""
    return next((path for path in map(shutil.which, _NAMES) if path is not None), None)


@contextmanager
def running_chromium(program: str) -> Iterator[Browser]:
    """The browser, without a window."""
    # Its sandbox cannot be had by root, as which containers often run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def paint_seconds(program: str, page: Path) -> tuple[float, float]:
    """When a browser that has not seen the page shows something of it, and when its charts."""
    with running_chromium(program) as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.absolute().as_uri(), wait_until="commit")
        first: float = tab.evaluate(_FIRST_PAINT)
        tab.wait_for_selector("html[data-ready]", state="attached")
        # An upper bound: the answer comes a little later than the charts.
        drawn: float = tab.evaluate("performance.now() / 1000")
        return first, drawn
