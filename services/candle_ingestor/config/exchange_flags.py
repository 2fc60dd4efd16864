"""Which exchanges are asked and how, as flags and environment say."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from candle_ingestor.config.given import FlagValues, path_of
from candle_ingestor.config.groups import ExchangesConfig
from candle_ingestor.exchanges.names import WITHOUT_CCXT, resolve_names
from candle_ingestor.exchanges.price_only import refuse_mixture
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import (
    ExchangeSettings,
    keys_from_environment,
    read_settings_file,
)
from candle_ingestor.exchanges.unusable import refuse_unusable


@cache
def known_exchanges() -> tuple[str, ...]:
    """The ids that ccxt has, and those of exchanges with a client of their own, sorted.

    ccxt's are the names of its modules, so that it need not be loaded, which takes most of a
    second.
    """
    spec = importlib.util.find_spec("ccxt")
    if spec is None:
        raise ModuleNotFoundError("No module named 'ccxt'", name="ccxt")
    folders = [Path(path, "async_support") for path in spec.submodule_search_locations or ()]
    modules = pkgutil.iter_modules(map(str, folders))
    return tuple(sorted([*WITHOUT_CCXT, *(m.name for m in modules if not m.ispkg)]))


def named_exchanges(
    values: FlagValues, known: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of the exchanges that are named, the primary one first, and warnings about names.

    Raises:
        ConfigurationError: if one is unknown, or they cannot be asked or merged together.
    """
    names, renamed = resolve_names(values.exchanges, known)
    refuse_unusable(names)
    if not values.allow_price_only_sources:
        refuse_mixture(names)
    return names, renamed


def exchanges_from_flags(
    values: FlagValues,
    environment: Mapping[str, str],
    names: tuple[str, ...],
    known: tuple[str, ...],
) -> ExchangesConfig:
    """How exchanges are asked.

    Args:
        names: ids of those that are named.
        known: ids of all there are.

    Raises:
        ConfigurationError: if the file of settings or a key in the environment cannot be used.
    """
    path = values.exchange_settings_file
    from_file = read_settings_file(path_of(path), known) if path else {}
    keys = keys_from_environment(environment, names)
    return ExchangesConfig(
        names=names,
        settings={
            name: replace(from_file.get(name, ExchangeSettings()), keys=keys.get(name, {}))
            for name in names
        },
        api_call_delay_seconds=values.api_call_delay_seconds,
        request_timeout_seconds=values.request_timeout_seconds,
        markets_cache_hours=values.markets_cache_hours,
        proxies=Proxies.from_environment(environment),
        may_mix_price_only=values.allow_price_only_sources,
        others={name: said for name, said in from_file.items() if name not in names},
    )
