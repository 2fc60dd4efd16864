"""What the plans of CoinGecko's API differ by: address, header of the key, reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.settings import ExchangeSettings

_OPTION = "plan"


@dataclass(frozen=True)
class ApiPlan:
    """One kind of account.

    Attributes:
        address: scheme and host of its API.
        key_header: the header that carries its key.
        reach_days: how many days back it answers; None for the whole history.
    """

    address: str
    key_header: str
    reach_days: int | None


DEMO = ApiPlan("https://api.coingecko.com", "x-cg-demo-api-key", 365)
"""The free plan; it answers without a key, too, only slower."""

PRO = ApiPlan("https://pro-api.coingecko.com", "x-cg-pro-api-key", None)
"""Every paid plan."""

PLANS: Mapping[str, ApiPlan] = {"demo": DEMO, "pro": PRO}


def plan_of(settings: ExchangeSettings) -> ApiPlan:
    """The plan that the exchange settings name: by `options`, else by the address, else demo.

    Raises:
        ConfigurationError: if the options name another one, or say anything else.
    """
    where = "--exchange_settings_file: table coingecko, options"
    unknown = [name for name in settings.options if name != _OPTION]
    if unknown:
        raise ConfigurationError(f"{where}: unknown option '{unknown[0]}'; known is {_OPTION}")
    named: Any = settings.options.get(_OPTION)
    if named is None:
        host = urlsplit(settings.base_url or "").hostname
        return PRO if host == urlsplit(PRO.address).hostname else DEMO
    if named not in PLANS:
        raise ConfigurationError(f"{where}: {_OPTION} must be {' or '.join(PLANS)}, not '{named}'")
    return PLANS[named]
