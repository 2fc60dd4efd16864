"""Every flag of the job, once."""

from absl.flags import FLAGS

from candle_ingestor.flags import fetching, keeping, looking_after, run
from candle_ingestor.flags.defining import MinutesParser

__all__ = ["FLAGS", "GROUPS", "MinutesParser"]

GROUPS: dict[str, list[str]] = {
    "Run": run.RUN,
    "Symbols": fetching.SYMBOLS,
    "Exchanges": fetching.EXCHANGES,
    "Candles": fetching.CANDLES,
    "Archives": fetching.ARCHIVES,
    "Merging": keeping.MERGING,
    "Resampling": keeping.RESAMPLING,
    "Store": keeping.STORE,
    "Export": keeping.EXPORT,
    "Verify": looking_after.VERIFY,
    "Prune": looking_after.PRUNE,
    "Quality": looking_after.QUALITY,
    "Of the older service": looking_after.OLDER_SERVICE,
}
"""Flag names by the heading that help and docs list them under, in this order."""
