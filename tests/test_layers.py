"""Which package may import which: docs/architecture.md, kept true."""

import ast
from pathlib import Path

SERVICES = Path(__file__).parents[1] / "services"
ROOT = SERVICES / "candle_ingestor"

MAY_IMPORT = {
    "model": (),
    "operations": ("errors", "model"),
    "merge": ("model",),
    "resample": ("model",),
    "symbols": ("errors", "model", "operations"),
    "exchanges": ("errors", "model", "operations"),
    "archives": ("errors", "exchanges", "model"),
    "stores": ("errors", "model", "operations"),
    "partitions": ("model", "operations"),
    "ledger": ("model", "stores"),
    "flags": ("model",),
    "config": ("archives", "errors", "exchanges", "model", "operations", "stores", "symbols"),
    "settle": (
        *("config", "errors", "ledger", "merge", "model", "operations", "partitions"),
        "resample",
    ),
    "completeness": ("archives", "exchanges", "ledger", "model", "settle", "stores"),
    "quality": ("ledger", "model"),
    "page": ("completeness", "ledger", "merge", "model", "quality", "settle"),
    "ingest": (
        *("archives", "config", "errors", "exchanges", "ledger", "merge", "model", "operations"),
        *("settle", "stores", "symbols"),
    ),
    "verify": (
        *("errors", "exchanges", "ingest", "ledger", "merge", "model", "operations", "partitions"),
        "settle",
    ),
    "prune": ("ledger", "model", "operations", "partitions", "settle"),
}
"""What each package imports beside itself; `commands` and `main` wire everything."""


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    ours = {name.split(".")[1] for name in names if name.startswith("candle_ingestor.")}
    return ours | {name.split(".")[0] for name in names if name.startswith("exchange_simulator")}


def test_no_package_imports_from_one_that_comes_after_it() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for package, allowed in MAY_IMPORT.items()
        for path in sorted((ROOT / package).rglob("*.py"))
        for imported in sorted(imported_packages(path) - {package, *allowed})
    ]
    assert not wrong


def test_every_package_has_a_place_in_the_order() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"commands"} == MAY_IMPORT.keys()


def test_pure_packages_touch_neither_files_nor_the_clock_nor_the_network() -> None:
    forbidden = {"apsw", "asyncio", "logging", "os", "pathlib", "socket", "sqlite3", "time"}
    forbidden.add("urllib")
    wrong = []
    for package in ("model", "merge", "resample", "quality"):
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            modules = {
                alias.name.split(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            modules |= {
                (node.module or "").split(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom)
            }
            wrong += [f"{path.name}: {name}" for name in sorted(modules & forbidden)]
    assert not wrong


def test_the_loader_knows_nothing_of_the_ingestor() -> None:
    for path in sorted((SERVICES / "candle_loader").rglob("*.py")):
        assert "candle_ingestor" not in path.read_text(), path.name
