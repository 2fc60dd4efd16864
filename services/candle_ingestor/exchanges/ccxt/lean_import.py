"""Imports of ccxt that load only the exchanges in use.

The packages `ccxt` and `ccxt.async_support` import every exchange they have, more than two hundred
modules, which takes longer than a whole run that finds a few minutes. Here they are entered without
that. Whoever then asks one of them for more than is loaded gets the whole package, as ever.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


class _LeanPackage(ModuleType):
    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def import_leanly() -> None:
    """Enters ccxt's packages without their exchanges, unless they are loaded already.

    Raises ModuleNotFoundError if ccxt is not installed.
    """
    if "ccxt" in sys.modules:
        return
    root = _entered("ccxt")
    # ccxt's own modules ask the package for these.
    root.Exchange = importlib.import_module("ccxt.base.exchange").Exchange
    errors = importlib.import_module("ccxt.base.errors")
    vars(root).update({name: getattr(errors, name) for name in errors.__all__})
    root.async_support = _entered("ccxt.async_support")


def exchange_class(exchange: str) -> type[Any]:
    """ccxt's asynchronous class of an exchange that ccxt has."""
    module = importlib.import_module(f"ccxt.async_support.{exchange}")
    found: type[Any] = getattr(module, exchange)
    return found


def _entered(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _LeanPackage
    sys.modules[name] = package
    return package
