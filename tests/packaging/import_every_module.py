"""Imports every module of the three packages. Run by Bazel, which lets a target import only what
it declares: it fails where BUILD.bazel lacks a dependency."""

import importlib
import pkgutil

import candle_ingestor
import candle_loader
import exchange_simulator

for package in (candle_ingestor, candle_loader, exchange_simulator):
    imported = 0
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
            imported += 1
    if not imported:
        raise SystemExit(f"{package.__name__} has no module")
