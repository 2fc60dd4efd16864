"""Makes the pictures of the page in docs/pictures from a demo over some weeks: `make pictures`.

They show the page as a real Chromium does, on a wide screen and on a telephone's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import HOW_TO_GET_ONE, find_chromium, running_chromium
from playwright.sync_api import Browser, expect

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
SIZES = {1280: 1840, 390: 1820}
"""Height by width, in pixels."""

# More than the demo fetches by itself, so that there is a month to look at.
DEMO = ("demo", "--backfill_start_date=45_days_ago", "--report=none")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    program = find_chromium()
    if program is None:
        sys.exit(HOW_TO_GET_ONE)
    with tempfile.TemporaryDirectory() as folder, running_chromium(program) as browser:
        subprocess.run([ROOT / "candle-ingestor", *DEMO], cwd=folder, check=True)
        page = Path(folder) / "data/demo/page.html"
        FOLDER.mkdir(exist_ok=True)
        for width, height in SIZES.items():
            path = FOLDER / f"page-{width}.png"
            path.write_bytes(picture(browser, page, width, height))
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    return 0


def picture(browser: Browser, page: Path, width: int, height: int) -> bytes:
    """The top of the page as a PNG."""
    tab = browser.new_page(viewport={"width": width, "height": height})
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]", state="attached")
    expect(tab.locator("#resolution")).to_contain_text("a candle is")
    shown = tab.screenshot()
    tab.close()
    return shown


if __name__ == "__main__":
    sys.exit(main())
