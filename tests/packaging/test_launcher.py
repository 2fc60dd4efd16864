import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Checkout

SETTING_UP = re.compile(r"^Setting up \.venv \((?P<why>.*), about a minute\) \.\.\.$", re.MULTILINE)


def reported(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_first_use_sets_up_and_later_starts_only_run(checkout: "Checkout", tmp_path: Path) -> None:
    first = checkout.run("ingest", "--symbols=BTC/USD", "two words", "")
    assert reported(first)["arguments"] == ["ingest", "--symbols=BTC/USD", "two words", ""]
    assert reported(first)["installed"] == {"tiny": "1.0"}
    assert first.stderr == "Setting up .venv (first use, about a minute) ...\n"
    made = checkout.stamp.stat()

    second = checkout.run("again")
    assert reported(second)["arguments"] == ["again"]
    assert second.stderr == ""

    failed = checkout.run("--fail")
    assert failed.returncode == 7

    link = tmp_path / "elsewhere" / "ingest"
    link.parent.mkdir()
    link.symlink_to("../links-to-it")
    (tmp_path / "links-to-it").symlink_to(checkout.path / "candle-ingestor")
    (link.parent / "candle_ingestor.py").write_text("raise SystemExit('the wrong one')\n")
    through_link = checkout.run(program=link, cwd=link.parent)
    assert reported(through_link)["cwd"] == str(link.parent)
    assert through_link.stderr == ""

    after = checkout.stamp.stat()
    assert (after.st_mtime_ns, after.st_ino) == (made.st_mtime_ns, made.st_ino)


def test_a_moved_checkout_runs_without_a_new_set_up(used_checkout: "Checkout") -> None:
    moved = used_checkout.path.rename(used_checkout.path.with_name("moved"))
    ended = used_checkout.run("here", program=moved / "candle-ingestor")
    assert reported(ended)["arguments"] == ["here"]
    assert ended.stderr == ""


def test_a_changed_lock_is_installed_anew(used_checkout: "Checkout") -> None:
    newer = used_checkout.index.add("tiny", "1.1")
    (used_checkout.path / "requirements.txt").write_text(newer, encoding="utf-8")

    ended = used_checkout.run()

    assert reported(ended)["installed"] == {"tiny": "1.1"}
    found = SETTING_UP.search(ended.stderr)
    assert found
    assert found["why"] == "the lock or Python changed"
    assert used_checkout.run().stderr == ""


def test_a_venv_whose_python_is_gone_is_made_anew(used_checkout: "Checkout") -> None:
    python = used_checkout.path / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")

    ended = used_checkout.run()

    assert reported(ended)["installed"] == {"tiny": "1.0"}
    assert SETTING_UP.search(ended.stderr)


def test_the_interpreter_of_the_venv_is_named_by_its_resolved_path(
    used_checkout: "Checkout",
) -> None:
    """A link like /usr/bin/python3 may lead to another version one day; a resolved one cannot."""
    link = used_checkout.path / ".venv" / "bin" / "python"
    target = link.readlink()
    if not target.is_absolute():
        target = (link.parent / target).readlink()
    assert target == target.resolve()


def test_development_packages_are_added_to_a_current_venv(used_checkout: "Checkout") -> None:
    made = (used_checkout.path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    setup = used_checkout.path / "tools" / "setup_venv"

    added = used_checkout.run("requirements-dev.txt", program=setup)
    assert added.returncode == 0
    assert added.stderr == "Adding the development packages to .venv ...\n"

    again = used_checkout.run("requirements-dev.txt", program=setup)
    assert (again.returncode, again.stderr) == (0, "")
    job = used_checkout.run()
    assert reported(job)["installed"] == {"tiny": "1.0", "tinydev": "2.0"}
    assert job.stderr == ""
    assert (used_checkout.path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made


@pytest.fixture
def stuck_set_up(checkout: "Checkout") -> Iterator[subprocess.Popen[str]]:
    """A first use whose pip waits for an answer of the index."""
    checkout.index.gate.clear()
    with checkout.start("first") as process:
        assert checkout.index.asked.wait(timeout=60)
        yield process
        checkout.index.gate.set()


def test_of_two_first_uses_at_once_one_sets_up_and_both_run(
    checkout: "Checkout", stuck_set_up: subprocess.Popen[str]
) -> None:
    second = checkout.start("second")
    assert second.stderr
    assert second.stderr.readline() == "Another set-up of .venv is running; waiting for it ...\n"
    checkout.index.gate.set()

    assert reported(finish(stuck_set_up))["arguments"] == ["first"]
    ended = finish(second)
    assert reported(ended)["arguments"] == ["second"]
    assert ended.stderr == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_set_up_is_begun_anew(
    checkout: "Checkout", stuck_set_up: subprocess.Popen[str], how: signal.Signals
) -> None:
    os.killpg(stuck_set_up.pid, how)
    interrupted = finish(stuck_set_up)
    assert interrupted.returncode != 0
    assert interrupted.stdout == ""
    assert not checkout.stamp.exists()
    checkout.index.gate.set()

    ended = checkout.run("after")

    assert reported(ended)["installed"] == {"tiny": "1.0"}
    assert SETTING_UP.search(ended.stderr)


def test_a_set_up_waits_for_the_pip_that_a_killed_one_left_behind(checkout: "Checkout") -> None:
    checkout.index.gate.clear()
    # It becomes the Python that runs pip, so that the signal meets that and not pip.
    set_up = checkout.start("requirements.txt", program=checkout.path / "tools" / "setup_venv")
    assert checkout.index.asked.wait(timeout=60)
    set_up.kill()
    assert finish(set_up).returncode == -signal.SIGKILL

    second = checkout.start("second")
    assert second.stderr
    assert second.stderr.readline() == "Another set-up of .venv is running; waiting for it ...\n"
    checkout.index.gate.set()

    assert reported(finish(second))["installed"] == {"tiny": "1.0"}


def test_a_failing_set_up_shows_what_pip_said_and_the_next_start_tries_again(
    checkout: "Checkout",
) -> None:
    lock = checkout.path / "requirements.txt"
    right = lock.read_text(encoding="utf-8")
    lock.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")

    failed = checkout.run()
    assert failed.returncode == 3
    assert failed.stdout == ""
    assert "DO NOT MATCH THE HASHES" in failed.stderr
    assert "Setting up .venv failed at: pip install." in failed.stderr
    assert str(checkout.path / ".venv-setup.log") in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not checkout.stamp.exists()

    lock.write_text(right, encoding="utf-8")
    assert reported(checkout.run())["installed"] == {"tiny": "1.0"}


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH that holds what the launcher calls, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("dirname", "readlink", "cmp"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def write_python(path: Path, change: str) -> None:
    """Writes a stand-in for a Python that runs the code it is given (-I -c CODE) after `change`."""
    path.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I -c "import sys\n{change}\n$3"\n', encoding="utf-8"
    )
    path.chmod(0o755)


def test_without_a_new_enough_python_it_says_what_to_install(
    checkout: "Checkout", bare_path: Path
) -> None:
    none = checkout.run(PATH=str(bare_path))
    assert none.returncode == 2
    assert "candle-ingestor needs Python 3.11 or newer; found: none." in none.stderr
    assert "CANDLE_INGESTOR_PYTHON=" in none.stderr

    write_python(bare_path / "python3", "sys.version_info = (3, 10, 13)")
    old = checkout.run(PATH=str(bare_path))
    assert old.returncode == 2
    assert "found: python3 (older than 3.11)." in old.stderr
    assert not (checkout.path / ".venv").exists()


def test_a_python_without_ensurepip_is_named_with_its_debian_package(
    checkout: "Checkout", bare_path: Path
) -> None:
    write_python(bare_path / "python3", "sys.modules['ensurepip'] = None")
    ended = checkout.run(PATH=str(bare_path))
    assert ended.returncode == 2
    assert "python3 cannot make a virtual environment" in ended.stderr
    assert "apt-get install python3-venv" in ended.stderr


def test_a_python_can_be_named(checkout: "Checkout", bare_path: Path) -> None:
    ended = checkout.run(PATH=str(bare_path), CANDLE_INGESTOR_PYTHON=sys.executable)
    assert reported(ended)["installed"] == {"tiny": "1.0"}
