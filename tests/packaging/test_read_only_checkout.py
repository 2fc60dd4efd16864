"""A checkout that the user cannot write: on a read-only mount, or by its permissions."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.packaging.conftest import Checkout

MOUNTED_READ_ONLY = """
set -eu
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
shift
exec "$@"
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def folders_of(path: Path) -> list[Path]:
    return [path, *(each for each in path.rglob("*") if each.is_dir() and not each.is_symlink())]


@pytest.fixture
def run_unwritable(tmp_path: Path) -> Iterator[Run]:
    """`run_unwritable(checkout, *arguments)`: runs its launcher where nothing there can be written.

    Root may write whatever permissions say, so for root the checkout is mounted read-only, in a
    mount namespace that ends with the process.
    """
    made_unwritable: list[Path] = []

    def run(
        checkout: "Checkout", *arguments: str, program: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        launcher = str(program or checkout.path / "candle-ingestor")
        cwd = tmp_path / "the user's folder"
        cwd.mkdir(exist_ok=True)
        if os.geteuid() != 0:
            for folder in folders_of(checkout.path):
                folder.chmod(0o555)
                made_unwritable.append(folder)
            return checkout.run(*arguments, program=Path(launcher), cwd=cwd)
        mounted = ["--mount", "sh", "-c", MOUNTED_READ_ONLY, "sh", str(checkout.path)]
        return checkout.run(*mounted, launcher, *arguments, program=Path("unshare"), cwd=cwd)

    if os.geteuid() == 0:
        allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
        if allowed.returncode != 0:
            pytest.skip("root without the right to mount: nothing can be made unwritable")
    yield run
    for folder in made_unwritable:
        folder.chmod(0o755)


def contents_of(checkout: "Checkout") -> set[Path]:
    return set(checkout.path.rglob("*"))


def test_it_runs_when_its_venv_is_current_and_writes_nothing_there(
    used_checkout: "Checkout", run_unwritable: Run
) -> None:
    before = contents_of(used_checkout)
    ended = run_unwritable(used_checkout, "ingest", "two words")
    assert ended.returncode == 0, ended.stderr
    assert '"arguments": ["ingest", "two words"]' in ended.stdout
    assert ended.stderr == ""
    assert contents_of(used_checkout) == before


def test_it_runs_through_a_link_of_the_users_own(
    used_checkout: "Checkout", run_unwritable: Run, tmp_path: Path
) -> None:
    link = tmp_path / "bin of the user" / "ingest"
    link.parent.mkdir()
    link.symlink_to(used_checkout.path / "candle-ingestor")
    ended = run_unwritable(used_checkout, program=link)
    assert ended.returncode == 0, ended.stderr


def test_without_a_venv_it_says_what_to_do(checkout: "Checkout", run_unwritable: Run) -> None:
    ended = run_unwritable(checkout)
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert "This checkout cannot be written" in ended.stderr
    assert "there is no .venv in it" in ended.stderr
    assert f"Run {checkout.path}/candle-ingestor --help once as a user who can" in ended.stderr
    assert f"Copy {checkout.path} to a folder of your own" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_a_venv_of_another_lock_it_says_so_and_does_not_start_the_job(
    used_checkout: "Checkout", run_unwritable: Run
) -> None:
    lock = used_checkout.path / "requirements.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    ended = run_unwritable(used_checkout)
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert "This checkout cannot be written" in ended.stderr
    assert "its .venv is not current" in ended.stderr


def test_with_a_venv_whose_python_the_user_cannot_run_it_says_so(
    used_checkout: "Checkout", run_unwritable: Run
) -> None:
    python = used_checkout.path / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")
    ended = run_unwritable(used_checkout)
    assert ended.returncode == 3
    assert f"this user cannot run the Python of its .venv ({python})" in ended.stderr
