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
    from tests.packaging.conftest import Checkout, FirstUse

DEVELOPMENT = "requirements-dev.txt"
ADDING = "Adding the development packages to .venv ...\n"
WAITING = "Another set-up of .venv is running; waiting for it ...\n"
SETTING_UP = re.compile(r"^Setting up \.venv \((?P<why>.*), about a minute\) \.\.\.$", re.MULTILINE)


def reported(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_first_use_sets_up_and_hands_the_arguments_on(first_use: "FirstUse") -> None:
    assert reported(first_use.ended)["arguments"] == [
        "ingest",
        "--symbols=BTC/USD",
        "two words",
        "",
    ]
    assert reported(first_use.ended)["installed"] == {"tiny": "1.0"}
    assert first_use.ended.stderr == "Setting up .venv (first use, about a minute) ...\n"


def test_later_starts_only_run(used_checkout: "Checkout") -> None:
    made = used_checkout.stamp.stat()

    again = used_checkout.run("again")
    assert reported(again)["arguments"] == ["again"]
    assert again.stderr == ""
    assert used_checkout.run("--fail").returncode == 7

    after = used_checkout.stamp.stat()
    assert (after.st_mtime_ns, after.st_ino) == (made.st_mtime_ns, made.st_ino)


def test_it_runs_through_links_and_takes_no_module_from_the_caller_s_folder(
    used_checkout: "Checkout", tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "ingest"
    link.parent.mkdir()
    link.symlink_to("../links-to-it")
    (tmp_path / "links-to-it").symlink_to(used_checkout.path / "candle-ingestor")
    (link.parent / "candle_ingestor.py").write_text("raise SystemExit('the wrong one')\n")

    ended = used_checkout.run(program=link, cwd=link.parent)

    assert reported(ended)["cwd"] == str(link.parent)
    assert ended.stderr == ""


def test_the_launcher_has_the_name_of_the_older_service_too(
    used_checkout: "Checkout", project_root: Path
) -> None:
    link = project_root / "candle_ingestor"
    assert link.is_symlink()
    second = used_checkout.path / link.name
    second.symlink_to(link.readlink())

    ended = used_checkout.run("here", program=second)

    assert reported(ended)["arguments"] == ["here"]
    assert ended.stderr == ""


def test_it_takes_no_module_from_another_environment_that_the_user_works_in(
    used_checkout: "Checkout", tmp_path: Path
) -> None:
    (tmp_path / "candle_ingestor.py").write_text("raise SystemExit('the wrong one')\n")
    ended = used_checkout.run(PYTHONPATH=str(tmp_path), PYTHONHOME="/nonexistent")
    assert reported(ended)["installed"] == {"tiny": "1.0"}
    assert ended.stderr == ""


def test_the_python_of_the_checkout_knows_its_packages_in_any_folder(
    used_checkout: "Checkout", tmp_path: Path
) -> None:
    python = used_checkout.path / ".venv" / "bin" / "python"
    code = "import candle_ingestor; print(candle_ingestor.__file__)"
    ended = used_checkout.run("-c", code, program=python, cwd=tmp_path)
    assert ended.stdout == f"{used_checkout.path}/services/candle_ingestor/__init__.py\n"


def test_it_sets_up_and_runs_without_a_home(used_checkout: "Checkout") -> None:
    without_home = ("-u", "HOME")
    set_up = used_checkout.run(
        *without_home, str(used_checkout.set_up), DEVELOPMENT, program=Path("env")
    )
    assert (set_up.returncode, set_up.stderr) == (0, ADDING)
    launcher = str(used_checkout.path / "candle-ingestor")
    ended = used_checkout.run(*without_home, launcher, program=Path("env"))
    assert reported(ended)["installed"] == {"tiny": "1.0", "tinydev": "2.0"}


def test_a_moved_checkout_runs_without_a_new_set_up(used_checkout: "Checkout") -> None:
    moved = used_checkout.path.rename(used_checkout.path.with_name("moved"))
    ended = used_checkout.run("here", program=moved / "candle-ingestor")
    assert reported(ended)["arguments"] == ["here"]
    assert ended.stderr == ""


def test_a_changed_lock_is_installed_anew_also_when_the_first_try_is_killed(
    used_checkout: "Checkout",
) -> None:
    newer = used_checkout.index.add("tiny", "1.1")
    (used_checkout.path / "requirements.txt").write_text(newer, encoding="utf-8")
    used_checkout.index.gate.clear()
    with used_checkout.start("first") as first:
        assert used_checkout.index.asked.wait(timeout=60)
        os.killpg(first.pid, signal.SIGKILL)
        killed = finish(first)
    assert killed.returncode != 0
    assert killed.stdout == ""
    found = SETTING_UP.search(killed.stderr)
    assert found
    assert found["why"] == "the lock or Python changed"
    assert not used_checkout.stamp.exists()
    used_checkout.index.gate.set()

    ended = used_checkout.run("again")

    assert reported(ended)["installed"] == {"tiny": "1.1"}
    assert SETTING_UP.search(ended.stderr)
    assert used_checkout.run().stderr == ""


def test_a_venv_whose_python_is_gone_is_made_anew(used_checkout: "Checkout") -> None:
    python = used_checkout.path / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")

    ended = used_checkout.run()

    assert reported(ended)["installed"] == {"tiny": "1.0"}
    assert SETTING_UP.search(ended.stderr)


def test_a_venv_that_is_a_link_is_replaced_and_what_it_leads_to_left_alone(
    used_checkout: "Checkout", tmp_path: Path
) -> None:
    venv = used_checkout.path / ".venv"
    elsewhere = tmp_path / "elsewhere"
    venv.rename(elsewhere)
    (elsewhere / "installed" / "requirements.txt").write_text("of another lock\n")
    venv.symlink_to(elsewhere)

    reported(used_checkout.run())

    assert not venv.is_symlink()
    assert (elsewhere / "installed" / "requirements.txt").read_text() == "of another lock\n"


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

    added = used_checkout.run(DEVELOPMENT, program=used_checkout.set_up)
    assert added.returncode == 0
    assert added.stderr == ADDING

    again = used_checkout.run(DEVELOPMENT, program=used_checkout.set_up)
    assert (again.returncode, again.stderr) == (0, "")
    job = used_checkout.run()
    assert reported(job)["installed"] == {"tiny": "1.0", "tinydev": "2.0"}
    assert job.stderr == ""
    assert (used_checkout.path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made


# A set-up that adds packages to a venv is locked, cut short and explained as one that makes the
# venv first, and takes a tenth of the time.


@pytest.fixture
def stuck_set_up(used_checkout: "Checkout") -> Iterator[subprocess.Popen[str]]:
    """A set-up whose pip waits for an answer of the index."""
    used_checkout.index.gate.clear()
    with used_checkout.start(DEVELOPMENT, program=used_checkout.set_up) as process:
        assert used_checkout.index.asked.wait(timeout=60)
        yield process
        used_checkout.index.gate.set()


def is_waiting(second: subprocess.Popen[str]) -> bool:
    assert second.stderr
    return second.stderr.readline() == WAITING


def test_of_two_set_ups_at_once_the_second_waits_and_finds_it_done(
    used_checkout: "Checkout", stuck_set_up: subprocess.Popen[str]
) -> None:
    second = used_checkout.start(DEVELOPMENT, program=used_checkout.set_up)
    assert is_waiting(second)
    used_checkout.index.gate.set()

    first = finish(stuck_set_up)
    assert (first.returncode, first.stderr) == (0, ADDING)
    ended = finish(second)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert used_checkout.development_stamp.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_set_up_is_not_believed(
    used_checkout: "Checkout", stuck_set_up: subprocess.Popen[str], how: signal.Signals
) -> None:
    os.killpg(stuck_set_up.pid, how)
    assert finish(stuck_set_up).returncode != 0
    assert not used_checkout.development_stamp.exists()
    used_checkout.index.gate.set()

    ended = used_checkout.run(DEVELOPMENT, program=used_checkout.set_up)

    assert (ended.returncode, ended.stderr) == (0, ADDING)
    assert reported(used_checkout.run())["installed"] == {"tiny": "1.0", "tinydev": "2.0"}


def test_a_set_up_waits_for_the_pip_that_a_killed_one_left_behind(
    used_checkout: "Checkout", stuck_set_up: subprocess.Popen[str]
) -> None:
    # The launcher has become the Python that runs pip, so that the signal meets that and not pip.
    stuck_set_up.kill()
    assert finish(stuck_set_up).returncode == -signal.SIGKILL

    second = used_checkout.start(DEVELOPMENT, program=used_checkout.set_up)
    assert is_waiting(second)
    used_checkout.index.gate.set()

    assert finish(second).returncode == 0
    assert reported(used_checkout.run())["installed"] == {"tiny": "1.0", "tinydev": "2.0"}


def test_a_failing_set_up_shows_what_pip_said_and_the_next_start_tries_again(
    used_checkout: "Checkout",
) -> None:
    lock = used_checkout.path / DEVELOPMENT
    right = lock.read_text(encoding="utf-8")
    lock.write_text(f"tinydev==2.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")

    failed = used_checkout.run(DEVELOPMENT, program=used_checkout.set_up)
    assert failed.returncode == 3
    assert failed.stdout == ""
    assert "DO NOT MATCH THE HASHES" in failed.stderr
    assert "Setting up .venv failed at: pip install." in failed.stderr
    assert str(used_checkout.path / ".venv-setup.log") in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not used_checkout.development_stamp.exists()

    lock.write_text(right, encoding="utf-8")
    ended = used_checkout.run(DEVELOPMENT, program=used_checkout.set_up)
    assert (ended.returncode, ended.stderr) == (0, ADDING)


def test_the_job_is_not_started_after_a_failed_set_up(used_checkout: "Checkout") -> None:
    """A set-up that fails before it touches the venv: nothing can be written there."""
    lock = used_checkout.path / "requirements.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    (used_checkout.path / ".venv.lock").unlink()
    (used_checkout.path / ".venv.lock").mkdir()

    failed = used_checkout.run()

    assert failed.returncode == 3
    assert failed.stdout == ""
    assert "Setting up .venv failed: " in failed.stderr


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


def test_a_python_can_be_named(checkout: "Checkout", bare_path: Path, tmp_path: Path) -> None:
    named = tmp_path / "my-python"
    named.write_text('#!/bin/sh\n[ "$2" = -c ] || echo "$@"\nexit 0\n', encoding="utf-8")
    named.chmod(0o755)

    ended = checkout.run(
        "requirements.txt",
        program=checkout.set_up,
        PATH=str(bare_path),
        CANDLE_INGESTOR_PYTHON=str(named),
    )

    assert ended.stdout == f"-I {checkout.path}/tools/setup_venv.py requirements.txt\n"
