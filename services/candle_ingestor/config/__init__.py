"""What a run is configured to do: read from flags and environment, grouped by who uses it."""

from candle_ingestor.config.from_flags import FlagValues, config_from_flags
from candle_ingestor.config.groups import (
    CandlesConfig,
    Config,
    ExchangesConfig,
    ExportConfig,
    RunConfig,
    StoreConfig,
    SymbolsConfig,
)

__all__ = [
    "CandlesConfig",
    "Config",
    "ExchangesConfig",
    "ExportConfig",
    "FlagValues",
    "RunConfig",
    "StoreConfig",
    "SymbolsConfig",
    "config_from_flags",
]
