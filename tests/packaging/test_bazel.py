import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def project(project_root: Path) -> dict[str, Any]:
    text = (project_root / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


def test_bazel_declares_the_dependencies_of_the_project(
    project_root: Path, project: dict[str, Any]
) -> None:
    text = (project_root / "BUILD.bazel").read_text(encoding="utf-8")
    declared = set(re.findall(r'"@pypi//(\w+)"', text))
    wanted = {Requirement(line).name.replace("-", "_") for line in project["dependencies"]}
    assert declared == wanted


def test_bazel_names_the_version_of_the_project(
    project_root: Path, project: dict[str, Any]
) -> None:
    text = (project_root / "MODULE.bazel").read_text(encoding="utf-8")
    assert f'version = "{project["version"]}",\n)' in text.split("bazel_dep")[0]


def test_workspace_and_module_take_the_same_rules(project_root: Path) -> None:
    workspace = (project_root / "WORKSPACE").read_text(encoding="utf-8")
    module = (project_root / "MODULE.bazel").read_text(encoding="utf-8")
    [version] = re.findall(r'name = "rules_python", version = "([^"]+)"', module)
    assert f"/{version}/rules_python-{version}.tar.gz" in workspace
    pythons = re.findall(r'python_version = "([^"]+)"', workspace + module)
    assert set(pythons) == {"3.11"}
