"""The whole page as one HTML text that needs nothing else.

Pure but for reading the files of the packages that it is made of.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files

from candle_ingestor.page import library
from candle_ingestor.page.chart_data import chart_data
from candle_ingestor.page.content import Page, PageHead
from candle_ingestor.page.elements import (
    Html,
    element,
    joined,
    json_script,
    link,
    percent_of,
    text,
    time_element,
)
from candle_ingestor.page.overview import overview, tiles
from candle_ingestor.page.tables import (
    findings_table,
    gaps_table,
    marks_table,
    months_table,
    runs_table,
    series_table,
)

_SCRIPTS = ("unpack.js", "bars.js", "bands.js", "chart.js", "calendar.js", "page.js")


def page_html(page: Page) -> str:
    """The page. It loads nothing, and no script runs in it but its own two.

    These are named by their hashes in its Content-Security-Policy, which forbids every request.
    """
    data = chart_data(page)
    # What is embedded must not end the element that it stands in; neither script has such a text.
    scripts = [library.library_script(), own_script()]
    assert not any("</script" in script.lower() for script in scripts)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_source_of, scripts))}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    blocks = joined(
        Html(f'<script type="text/plain" id="{name}">{block}</script>\n')
        for name, block in data.blocks.items()
    )
    values = {
        "policy": policy,
        "style": asset("style.css"),
        "store": text(page.store[:1].upper() + page.store[1:]),
        "now": time_element(page.now_ms),
        "tiles": tiles(page),
        "overview": overview(page),
        "pickers": _options(page),
        "months": _by_head(page, months_table),
        "marks": _by_head(page, marks_table),
        "gaps": gaps_table(page.heads),
        "findings": findings_table(page.heads),
        "series": series_table(page.heads),
        "runs": runs_table(page.runs),
        "library": _attribution(),
        "blocks": blocks,
        "data": json_script("page-data", data.value),
        "library_script": scripts[0],
        "own_script": scripts[1],
    }
    # Pieces of the template and values take turns: a value is never looked into.
    pieces = asset("page.html").split("{{")
    found = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        found += [values[name], rest]
    return "".join(found)


def asset(name: str) -> str:
    """A file of the page as it stands in the package."""
    return files("candle_ingestor.page").joinpath("assets", name).read_text(encoding="utf-8")


def own_script() -> str:
    """Our own scripts as one, each in the order in which they need each other."""
    parts = "\n".join(asset(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _source_of(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _options(page: Page) -> Html:
    return joined(
        element(
            "option",
            f"{head.name} ({percent_of(head.status.covered, head.status.wanted) or 'not wanted'})",
            value=str(index),
        )
        for index, head in enumerate(page.heads)
    )


def _by_head(page: Page, table_of: Callable[[PageHead], Html]) -> Html:
    return joined(
        element("div", table_of(head), data_head=str(index))
        for index, head in enumerate(page.heads)
    )


def _attribution() -> Html:
    return joined(
        [
            text("Charts by "),
            link(library.NAME, library.HOME),
            text(f", {library.COPYRIGHT}, licensed under the "),
            link(library.LICENCE, library.LICENCE_PAGE),
            text("."),
        ]
    )
