"""Makes the pictures of docs/pictures from a real demo in a real terminal: `make pictures`.

A picture is what the screen of a terminal shows, colours included: of the run half-way, and of its
end.
"""

import argparse
import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 100
# More than a demo writes, so that nothing is scrolled away.
ROWS = 200
TEXT = re.compile(
    r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', re.DOTALL
)
BAR = re.compile("[━╸╺]{3}")

# Of the fonts at hand: a picture that loads one from elsewhere tells elsewhere who reads it.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""

COLOURS = {"default": None, "brown": "yellow", "brightbrown": "bright_yellow"}


@dataclass(frozen=True)
class Recording:
    """What the screen showed half-way through the time of the most bars, and in the end."""

    running: Text
    ended: Text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    recording = recorded([str(ROOT / "candle-ingestor"), "demo"])
    FOLDER.mkdir(exist_ok=True)
    for name, screen in (("running", recording.running), ("demo", recording.ended)):
        path = FOLDER / f"{name}.svg"
        path.write_text(svg(screen, name, "./candle-ingestor demo"), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(screen.plain.splitlines())} lines")
    return 0


def recorded(command: list[str]) -> Recording:
    """What a terminal shows of a command that is run in a folder of its own.

    Exits if the command fails, since there is nothing to show then.
    """
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    frames: list[Text] = []
    with tempfile.TemporaryDirectory() as folder:
        for written in output_of(command, Path(folder)):
            stream.feed(written)
            shown = screen_text(screen)
            if bars_in(shown) and (not frames or frames[-1].plain != shown.plain):
                frames.append(shown)
    if not frames:
        sys.exit(f"{command} showed no bars:\n{screen_text(screen).plain}")
    most = max(len(bars_in(frame)) for frame in frames)
    fullest = [frame for frame in frames if len(bars_in(frame)) == most]
    return Recording(fullest[len(fullest) // 2], screen_text(screen))


def bars_in(screen: Text) -> list[str]:
    return [row for row in screen.plain.splitlines() if BAR.search(row)]


def output_of(command: list[str], folder: Path) -> Iterator[bytes]:
    """What the command writes to a terminal, piece by piece."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    environment["PYTHONPATH"] = str(ROOT / "services")
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            while written := os.read(ours, 65_536):
                yield written
        except OSError:
            # So Linux says that nobody has the terminal any more.
            pass
        finally:
            os.close(ours)
    if process.returncode != 0:
        sys.exit(f"{command} ended with exit code {process.returncode}")


def screen_text(screen: pyte.Screen) -> Text:
    """The screen with its colours, without empty rows at its end."""
    rows = []
    for number in range(screen.lines):
        row = Text()
        for column in range(screen.columns):
            char = screen.buffer[number][column]
            row.append(char.data, style_of(char))
        row.rstrip()
        rows.append(row)
    while rows and not rows[-1].plain:
        rows.pop()
    return Text("\n").join(rows)


def style_of(char: Char) -> Style:
    return Style(
        color=colour(char.fg),
        bgcolor=colour(char.bg),
        bold=char.bold or None,
        italic=char.italics or None,
        underline=char.underscore or None,
        reverse=char.reverse or None,
    )


def colour(name: str) -> str | None:
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return COLOURS.get(name, name.replace("bright", "bright_"))


def rows_of(picture: str) -> list[str]:
    """The text of each row of a picture that `svg` made, with single spaces."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in TEXT.findall(picture):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    joined = ("".join(text for _, text in sorted(rows[y])) for y in sorted(rows))
    return [row for row in (" ".join(row.split()) for row in joined) if row]


def svg(screen: Text, name: str, title: str) -> str:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(screen, soft_wrap=True)
        return console.export_svg(title=title, code_format=SVG, unique_id=f"picture-{name}")


if __name__ == "__main__":
    sys.exit(main())
