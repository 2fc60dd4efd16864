"""What the README says of installing and looking, beside what test_docs shows."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOLERANCE = 0.2


def test_it_shows_how_it_looks_before_it_says_how_it_works() -> None:
    headings = re.findall(r"^## (.*)", README, re.MULTILINE)
    assert headings[0] == "How it looks"
    pictures = re.findall(r"^!\[.+\]\((.*)\)$", README, re.MULTILINE)
    assert sorted(Path(path).name for path in pictures) == sorted(
        path.name for path in (ROOT / "docs/pictures").iterdir()
    )


def test_the_size_of_what_is_installed_is_about_what_it_says() -> None:
    found = re.search(r"(\d+) packages, (\d+) MB on disk", README)
    assert found is not None
    packages, megabytes = int(found[1]), int(found[2])
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    assert packages == len(names)
    size = 0
    for name in names:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue  # Another Python or system needs it.
        located = [Path(str(file.locate())) for file in files]
        size += sum(path.stat().st_size for path in located if path.is_file())
    assert abs(size / 1e6 - megabytes) <= TOLERANCE * megabytes


def test_the_example_of_the_loader_says_which_python_runs_it() -> None:
    before = README.partition("```python")[0].rpartition("\n\n")[0].rpartition("\n\n")[2]
    assert "`.venv/bin/python`" in before
    assert "`pip install .`" in before
