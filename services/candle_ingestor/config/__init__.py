"""What a run is configured to do: read from flags and environment, grouped by who uses it."""

from candle_ingestor.config.from_flags import config_from_flags
from candle_ingestor.config.given import FlagValues
from candle_ingestor.config.groups import (
    CandlesConfig,
    Config,
    DerivedConfig,
    ExchangesConfig,
    ExportConfig,
    RunConfig,
    StoreConfig,
    SymbolsConfig,
)
from candle_ingestor.config.origins import Origin

__all__ = [
    "CandlesConfig",
    "Config",
    "DerivedConfig",
    "ExchangesConfig",
    "ExportConfig",
    "FlagValues",
    "Origin",
    "RunConfig",
    "StoreConfig",
    "SymbolsConfig",
    "config_from_flags",
]
