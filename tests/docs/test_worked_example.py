"""The worked example and the notebook run on the demo's candles, and show what the pages show."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from job_server import JobServer

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples/crossover.py"
MOST_LINES = 30


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, job_server: JobServer) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    words = ["demo", "--symbols=BTC/USD", "--progress=off"]
    done = job_server.run(words, folder=folder, environment={})
    assert done.returncode == 0, done.stderr
    return folder


def test_the_crossover_draws_its_chart_and_trades(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    mpl.use("Agg")

    names = runpy.run_path(str(EXAMPLE))

    said = re.fullmatch(
        r"(\d+) closes, (\d+) trades, worth (\d\.\d{4}) of 1\n", capsys.readouterr().out
    )
    assert said is not None
    assert int(said[1]) > 1000
    assert int(said[2]) > 0
    for name in ("crossover.png", EXAMPLE.with_suffix(".png")):
        assert Path(name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    # The same by hand: means of floats, and one step after the other.
    candles = names["candles"]
    closes = candles.frame["close"].to_list()
    times = [*candles.frame["timestamp_ms"].to_list(), candles.end_ms]
    first = len(closes) - len(names["is_long"])
    worth, holds = 1.0, False
    for number in range(first, len(closes)):
        if number > first and holds:
            worth *= closes[number] / closes[number - 1]
        fast = sum(closes[number - 29 : number + 1]) / 30
        slow = sum(closes[number - 239 : number + 1]) / 240
        following = times[number + 1]
        is_known = not any(times[number] < gap.start_ms <= following for gap in candles.gaps)
        if (fast > slow and is_known) != holds:
            holds = not holds
            worth *= 1 - 0.0005
    assert worth == pytest.approx(names["worth"][-1], rel=1e-9)


def test_the_page_shows_the_program_and_it_has_thirty_lines() -> None:
    program = EXAMPLE.read_text()
    assert re.findall(r"^```py\n(.*?)^```", page("worked_example"), re.MULTILINE | re.DOTALL) == [
        program
    ]
    code = program.split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= MOST_LINES


def test_every_block_of_the_notebook_runs_and_prints_what_the_page_shows(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo)
    blocks = re.findall(
        r"^```py\n(.*?)^```\n(?:\n```\n(.*?)^```)?", page("analysis"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for code, shown in blocks:
        exec(compile(code, "docs/analysis.md", "exec"), names)
        printed = capsys.readouterr().out
        assert printed or "print" not in code
        if shown:
            assert words(printed) == words(shown), code


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def words(text: str) -> set[str]:
    """What stands in it beside numbers."""
    return set(re.findall(r"[A-Za-z_]+", text))
