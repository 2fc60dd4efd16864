"""The pictures show what the demo shows; of its figures only that they are there."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
# Which symbols and minutes the demo's own mishaps meet differs by day.
LEAST_SHARE = 0.75


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "tools/pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pictures"] = module
    spec.loader.exec_module(module)
    return module


def shape(row: str) -> str:
    """The row without what differs from run to run: figures, bars and the space around them."""
    return re.sub(r"[\d.,:━╸╺─-]*\d[\d.,:]*|[━╸╺─]+", "#", " ".join(row.split()))


def test_the_pictures_show_what_the_demo_shows(pictures: ModuleType) -> None:
    recording = pictures.recorded([sys.executable, "-P", "-m", "candle_ingestor", "demo"])
    shown = {shape(row) for row in recording.ended.plain.splitlines()}
    of_picture = [
        shape(row) for row in pictures.rows_of((ROOT / "docs/pictures/demo.svg").read_text())
    ]
    lacking = [row for row in of_picture if row not in shown]
    assert len(of_picture) > 10
    assert len(lacking) <= (1 - LEAST_SHARE) * len(of_picture), f"`make pictures`: {lacking}"

    bars = pictures.bars_in(recording.running)
    of_picture = pictures.rows_of((ROOT / "docs/pictures/running.svg").read_text())
    drawn = [row for row in of_picture if pictures.BAR.search(row)]
    assert {row.split()[0] for row in drawn} == {row.split()[0] for row in bars}, "`make pictures`"
    assert len(drawn) >= 3


def test_a_picture_keeps_each_row_and_colour(pictures: ModuleType) -> None:
    screen = pictures.Text("first  row\n").append("all ━━━━", "green").append(" <50%>\nlast")
    picture = pictures.svg(screen, "a-name", "the title")
    assert pictures.rows_of(picture) == ["first row", "all ━━━━ <50%>", "last"]
    assert "the&#160;title</text>" in picture
    assert "#98a84b" in picture  # rich's green
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_shown_as_wide_as_it_says(width: int) -> None:
    png = (ROOT / f"docs/pictures/page-{width}.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20]) == width
