"""tools/influxd/build, with stand-ins for the compilers."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "tools" / "influxd" / "build"
TOOLS = ("cargo", "cc", "pkg-config")
USED = ("dirname", "sed", "mkdir", "flock", "chmod", "rm", "mv", "tail", "sh", "cat", "env")

Build = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """The only folder in PATH: what the script uses, and stand-ins that do nothing."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in USED:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name in TOOLS:
        write_script(folder / name, "exit 0")
    return folder


@pytest.fixture
def go(tools: Path, tmp_path: Path) -> Path:
    """A stand-in that notes each build, waits where it is told to, and makes a small server."""
    write_script(
        tools / "go",
        f"""
        echo "$@" >>{tmp_path}/builds
        while [ "$1" != -o ]; do shift; done
        case $2 in
            */influxd)
                [ ! -p {tmp_path}/gate ] || cat {tmp_path}/gate
                [ ! -e {tmp_path}/broken ] || {{ echo "no such package"; exit 1; }} ;;
        esac
        mkdir -p "${{2%/*}}"
        printf '#!/bin/sh\\necho "InfluxDB v2.7.12"\\n' >"$2"
        chmod +x "$2"
        """,
    )
    return tmp_path / "builds"


@pytest.fixture
def build(tools: Path, tmp_path: Path) -> Build:
    environment = {"PATH": str(tools), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BUILD],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def write_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def server_builds(go: Path) -> int:
    return sum("cmd/influxd" in line for line in go.read_text().splitlines())


def test_the_last_line_is_the_path_of_a_server_that_is_built_once(
    build: Build, go: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        out, errors = build().communicate(timeout=60)
        server = Path(out.splitlines()[-1])
        assert os.access(server, os.X_OK), errors
        assert out == f"{server}\n"

    folder = tmp_path / ".cache" / "candle-ingestor" / "influxd-v2.7.12"
    assert server == folder / "influxd"
    assert server_builds(go) == 1
    assert {path.name for path in folder.iterdir()} == {"influxd", "lock", "build.log"}


def test_a_second_build_waits_for_the_first(build: Build, go: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = build()
    assert first.stderr is not None
    assert "building InfluxDB" in first.stderr.readline()
    second = build()
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()

    gate.write_text("go on")
    gate.unlink()
    answers = [process.communicate(timeout=60)[0] for process in (first, second)]

    assert answers[0] == answers[1] != ""
    assert server_builds(go) == 1


@pytest.mark.parametrize("tool", ["go", *TOOLS, "flock"])
def test_a_missing_tool_is_named_with_how_to_get_it(
    build: Build, go: Path, tools: Path, tool: str
) -> None:
    (tools / tool).unlink()

    process = build()
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 3
    assert out == ""
    assert f"missing: {tool}." in errors
    assert "apt-get install" in errors
    assert "INFLUXD" in errors


def test_a_failed_build_shows_why_and_the_next_try_goes_on(
    build: Build, go: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    process = build()
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert out == ""
    assert "no such package" in errors
    assert "build.log" in errors
    assert not list(tmp_path.glob("**/influxd-*/influxd"))

    (tmp_path / "broken").unlink()
    assert build().communicate(timeout=60)[0].endswith("/influxd\n")


def test_what_does_not_run_is_not_kept(build: Build, go: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "go").write_text(
        (tools / "go").read_text().replace('echo "Influx', 'exit 9; echo "Influx')
    )

    process = build()
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "does not run" in errors
    assert not list(tmp_path.glob("**/influxd-*/influxd"))
