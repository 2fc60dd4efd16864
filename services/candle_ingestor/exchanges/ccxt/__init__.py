"""The strict ccxt client of an exchange."""

from candle_ingestor.exchanges.ccxt.lean_import import import_leanly

import_leanly()
