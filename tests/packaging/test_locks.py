import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ["requirements.txt", "requirements-dev.txt"]

Pins = dict[str, tuple[str, frozenset[str]]]


def entries(lock: Path) -> list[tuple[Requirement, frozenset[str]]]:
    text = re.sub(r"\\\n\s*", " ", lock.read_text(encoding="utf-8"))
    found = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            found.append((Requirement(requirement), frozenset(hashes)))
    return found


def pins(lock: Path) -> Pins:
    return {
        canonicalize_name(requirement.name): (str(requirement), hashes)
        for requirement, hashes in entries(lock)
    }


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(project_root: Path, name: str) -> None:
    locked = entries(project_root / name)
    assert locked
    for requirement, hashes in locked:
        assert re.fullmatch(r"==[0-9][^*,]*", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement
    names = [canonicalize_name(requirement.name) for requirement, _ in locked]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_path_or_option(project_root: Path, name: str) -> None:
    for requirement, _ in entries(project_root / name):
        assert requirement.url is None
    text = (project_root / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(^|\s)(/|~|file:)", text)
    assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", text)) <= {"--hash", "--override", "-c"}


def test_the_development_lock_holds_the_runtime_lock(project_root: Path) -> None:
    runtime = pins(project_root / "requirements.txt")
    development = pins(project_root / "requirements-dev.txt")
    assert {name: development.get(name) for name in runtime} == runtime
    assert {"pytest", "ruff", "mypy"} <= development.keys() - runtime.keys()


def test_the_locks_satisfy_the_project_s_ranges(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-dev.txt": project["dependency-groups"]["dev"],
    }
    for name, requirements in wanted.items():
        locked = {
            canonicalize_name(requirement.name): next(iter(requirement.specifier)).version
            for requirement, _ in entries(project_root / name)
        }
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])
