import os
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
def source(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build of the package needs of a checkout, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("source") / "a checkout"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md"):
        copy2(project_root / name, folder)
    copytree(
        project_root / "services",
        folder / "services",
        ignore=ignore_patterns("__pycache__", "*.egg-info"),
    )
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment elsewhere, after `pip install .` in the checkout."""
    venv = tmp_path_factory.mktemp("installed") / "another environment"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    # The dependencies are those of the tests' own environment; `pip check` compares.
    [site_packages] = venv.glob("lib/python*/site-packages")
    purelib = sysconfig.get_path("purelib")
    (site_packages / "dependencies.pth").write_text(f"{purelib}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")]
    run(*pip, "install", "--no-index", "--no-deps", "--no-build-isolation", ".", cwd=source)
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


def test_the_installed_demo_runs_in_any_folder_without_a_home(
    installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder of the user"
    folder.mkdir()
    started = ("env", "-i", f"PATH={os.environ['PATH']}")
    command = (installed / "python", "-m", "candle_ingestor", "demo", "--backfill_start_date=skip")
    shown = run(*started, *command, "--catch_up_initial_days=0.05", cwd=folder)
    assert "Where to look:" in shown
    assert {path.name for path in folder.iterdir()} == {"data"}
    assert (folder / "data/demo/csv/aggregated/BTCUSD/manifest.json").exists()


def test_the_installed_packages_import_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    modules = ", ".join(PACKAGES)
    code = f"import {modules}; print(*(m.__file__ for m in [{modules}]), sep='\\n')"
    files = run(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    assert len(files) == len(PACKAGES)
    assert all(Path(file).is_relative_to(installed.parent) for file in files)
