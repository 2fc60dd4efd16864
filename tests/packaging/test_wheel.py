import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

import pytest

PACKAGES = ["candle_ingestor", "candle_loader", "exchange_simulator"]


def run(*command: str | Path, cwd: Path) -> str:
    ended = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        copy2(project_root / name, source)
    copytree(
        project_root / "services",
        source / "services",
        ignore=ignore_patterns("__pycache__", "*.egg-info"),
    )
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh virtual environment that holds the wheel."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    run(*pip, "install", "--no-index", "--no-deps", wheel, cwd=venv.parent)
    # The dependencies are those of the tests' own environment; `pip check` compares.
    [site_packages] = venv.glob("lib/python*/site-packages")
    purelib = sysconfig.get_path("purelib")
    (site_packages / "dependencies.pth").write_text(f"{purelib}\n", encoding="utf-8")
    run(*pip, "check", cwd=venv.parent)
    return venv / "bin"


def test_the_wheel_holds_every_file_of_the_packages(project_root: Path, wheel: Path) -> None:
    services = project_root / "services"
    wanted = {
        path.relative_to(services).as_posix()
        for package in PACKAGES
        for path in (services / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= wanted
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_the_installed_command_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    helped = run(installed / "candle-ingestor", "--help", cwd=tmp_path)
    assert "--exchanges" in helped
    assert run(installed / "python", "-m", "candle_ingestor", "--help", cwd=tmp_path) == helped


def test_the_installed_packages_import_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}; print(*(m.__file__ for m in [{', '.join(PACKAGES)}]))"
    files = run(installed / "python", "-c", code, cwd=tmp_path).split()
    assert len(files) == len(PACKAGES)
    assert all(Path(file).is_relative_to(installed.parent) for file in files)
