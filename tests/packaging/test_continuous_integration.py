import os
import shutil
import subprocess
from pathlib import Path

import pytest

PASSED = "===== 3 passed in 0.10s ====="
SKIPPED = "SKIPPED [1] tests/symbols/conftest.py:12: real part missing: redis-server"
OTHER_SKIP = "SKIPPED [1] tests/test_recorded.py:9: recorded data is absent"


@pytest.fixture
def checkout(project_root: Path, tmp_path: Path) -> Path:
    for name in (".ci/run", "tools/install_servers"):
        (tmp_path / name).parent.mkdir()
        shutil.copy2(project_root / name, tmp_path / name)
    return tmp_path


def run_ci(checkout: Path, make: str) -> subprocess.CompletedProcess[str]:
    """Runs .ci/run with a stand-in for make and for the installed servers."""
    programs = checkout / "bin"
    programs.mkdir()
    for name, script in {"make": make, "redis-server": ":"}.items():
        program = programs / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
    return subprocess.run(
        [checkout / ".ci" / "run"],
        cwd=checkout.parent,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_and_shows_the_closing_line_of_pytest(checkout: Path) -> None:
    ended = run_ci(checkout, f'echo "$1 $REQUIRE_REAL_SERVERS"; echo "{OTHER_SKIP}\n{PASSED}"')
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["lint 1", OTHER_SKIP, PASSED, "test 1", OTHER_SKIP, PASSED]


@pytest.mark.parametrize("target", ["lint", "test"])
def test_it_fails_with_any_of_its_steps(checkout: Path, target: str) -> None:
    ended = run_ci(checkout, f'[ "$1" != {target} ]')
    assert ended.returncode != 0


def test_it_fails_when_the_test_of_a_real_server_was_skipped(checkout: Path) -> None:
    ended = run_ci(checkout, f'echo "{SKIPPED}\n{PASSED}"')
    assert ended.returncode == 1
    assert "A test against a real server was skipped." in ended.stderr


def test_the_servers_are_missing_without_apt_get(checkout: Path) -> None:
    command = checkout / "tools" / "install_servers"
    bare = {"PATH": str(checkout / "none")}
    for required, code in [("", 0), ("1", 1)]:
        ended = subprocess.run(
            ["/bin/sh", command],
            env=bare | {"REQUIRE_REAL_SERVERS": required},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code
        missing = "Not installed: redis-server openssl chromium; and there is no apt-get here."
        assert missing in ended.stderr
