"""The commands, and the flags that each uses.

The modules of a command are loaded when it is run, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from candle_ingestor.flags import GROUPS


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        help: what it does, in one line.
        path: `module:function`. The function takes (config, clock, console) and returns the exit
            code; that of demo takes (flag values, console).
        example: what a person may type.
        arguments: what it takes beside flags, as its help shows it; empty for nothing, in brackets
            for one word or none.
    """

    help: str
    path: str
    example: str = ""
    arguments: str = ""

    def load(self) -> Callable[..., int]:
        """The function, with all its modules."""
        module, _, name = self.path.partition(":")
        function: Callable[..., int] = getattr(import_module(module), name)
        return function


COMMANDS = {
    "ingest": Command(
        "fetch what is missing, merge, store, export and report (the default)",
        "candle_ingestor.commands.ingest:ingest",
        "candle-ingestor --exchanges=coinbaseexchange,bitstamp --symbols=BTC/USD --days=7",
    ),
    "merge": Command(
        "recompute the merged series from the stored exchange candles, without a request",
        "candle_ingestor.commands.merge:merge",
        "candle-ingestor merge --symbols=BTC/USD --max_price_deviation_pct=2",
    ),
    "resample": Command(
        "put coarser candles together again from the stored ones, without a request",
        "candle_ingestor.commands.resample:resample",
        "candle-ingestor resample --derived_timeframes=5m,15m,1h,4h,1d,1w",
    ),
    "export": Command(
        "write the partitions again from the store",
        "candle_ingestor.commands.export:export",
        "candle-ingestor export --data_root=data/csv",
    ),
    "import": Command(
        "take candles from exchanges' history files, and bring in line what is made from them",
        "candle_ingestor.commands.import_:import_files",
        "candle-ingestor import data/archives --symbols=BTC/USD",
        arguments="PATH...",
    ),
    "status": Command(
        "tell of each stored series how far it is, what is known of it and what is missing",
        "candle_ingestor.commands.status:status",
        "candle-ingestor status --format=json",
    ),
    "gaps": Command(
        "list what is wanted and not known, the worst first, with its reason and what to do",
        "candle_ingestor.commands.gaps:gaps",
        "candle-ingestor gaps --format=csv",
    ),
    "runs": Command(
        "list past and present runs, or show the report of one of them again",
        "candle_ingestor.commands.runs:runs",
        "candle-ingestor runs --newest=10",
        arguments="[NAME]",
    ),
    "verify": Command(
        "compare what is stored with the exchanges, its merge rules and the partitions",
        "candle_ingestor.commands.verify:verify",
        "candle-ingestor verify --symbols=BTC/USD --exchanges=coinbaseexchange --sample=100",
    ),
    "prune": Command(
        "remove series, or candles before a date, from the store and the partitions",
        "candle_ingestor.commands.prune:prune",
        "candle-ingestor prune --before=1_year_ago --run_mode=dry",
    ),
    "quality": Command(
        "look for what is wrong in stored candles: outages, spikes, offsets, wrong units and hours",
        "candle_ingestor.commands.quality:quality",
        "candle-ingestor quality --days=30 --format=csv",
    ),
    "report": Command(
        "tell how complete everything is, by tier, symbol, exchange and month, and what to do",
        "candle_ingestor.commands.report:report",
        "candle-ingestor report --format=json",
    ),
    "demo": Command(
        "run the job against simulated exchanges into data/demo, with nothing to set up",
        "candle_ingestor.commands.demo:demo",
        "candle-ingestor demo",
    ),
}

DRY_RUN = Command(
    "check what ingest needs, and write nothing", "candle_ingestor.commands.dry_run:dry_run"
)
DRY_IMPORT = Command(
    "read the files, say what import would do, and write nothing",
    "candle_ingestor.commands.import_:plan_import",
)
DRY_PRUNE = Command(
    "say what prune would remove, and write nothing", "candle_ingestor.commands.prune:plan_prune"
)
DRY_RUNS = {"ingest": DRY_RUN, "import": DRY_IMPORT, "prune": DRY_PRUNE}
"""What runs in place of a command under --run_mode=dry."""

HELP = "help"
"""The word before the name of a command that is to be explained."""

_WORKING = ("ingest", "merge", "resample", "export", "import", "verify", "prune", "demo")
LOOKING = ("status", "gaps", "runs", "quality", "report")
"""What only reads the store: no lock, no write, no exchange, no Redis."""
_ALL = (*_WORKING, *LOOKING)
_STORED = ("ingest", "merge", "resample", "export", "import", "verify", "prune", *LOOKING)
_FETCHING = ("ingest", "demo")

_USED_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    "Run": _FETCHING,
    "Symbols": _ALL,
    "Exchanges": _FETCHING,
    "Candles": _FETCHING,
    "Archives": ("ingest", "import"),
    "Merging": ("ingest", "merge", "demo"),
    "Resampling": ("ingest", "resample", "demo"),
    "Store": _ALL,
    "Export": ("ingest", "export", "import", "verify", "prune", "demo"),
    "Verify": ("verify",),
    "Prune": ("prune",),
    "Quality": ("quality", "report"),
    "Of the older service": (),
}

_USED_BY_FLAG: Mapping[str, tuple[str, ...]] = {
    "config": _ALL,
    "archive_dir": ("ingest",),
    "prefer": ("import",),
    "run_mode": ("ingest", "import", "prune"),
    "max_run_seconds": _WORKING,
    "format": (*LOOKING, "verify", "prune"),
    "by_exchange": ("status", "gaps"),
    "newest": ("runs",),
    "output": ("report", "demo"),
    "open": ("report", "demo"),
    "findings": ("report",),
    "fail_below": ("report",),
    "fail_on_findings": ("quality",),
    "tier": ("ingest", "report"),
    "download_list_path": (*_FETCHING, "report"),
    "report": (*_FETCHING, "import"),
    "run_report_path": (*_FETCHING, "import"),
    "progress": (*_WORKING, "quality", "report"),
    "dry_run_limit": ("ingest",),
    "now": _STORED,
    "redis_key_crypto_symbols": ("ingest",),
    **dict.fromkeys(
        ("redis_url", "redis_host", "redis_port", "redis_password", "redis_ca_file"), _WORKING
    ),
    "create_bucket": _WORKING,
    **dict.fromkeys(
        ("exchange_settings_file", "api_call_delay_seconds", "request_timeout_seconds"),
        (*_FETCHING, "verify"),
    ),
    "markets_cache_hours": (*_FETCHING, "verify"),
    **dict.fromkeys(
        ("backfill_start_date", "days", "backfill_end_date"),
        (*_FETCHING, "export", "verify", "quality"),
    ),
    "exchanges": (
        "ingest",
        "merge",
        "export",
        "verify",
        "prune",
        "demo",
        "status",
        "gaps",
        "quality",
        "report",
    ),
    **dict.fromkeys(
        ("symbols", "symbols_file", "candle_granularity_minutes", "settle_seconds"),
        tuple(command for command in _ALL if command != "runs"),
    ),
    "refetch_last_candles": (*_FETCHING, "import", "verify"),
    "export_csv": ("ingest", "merge", "resample", "import", "verify", "demo"),
    "export_exchange_candles": (
        *("ingest", "resample", "export", "import", "verify", "prune", "demo"),
    ),
    **dict.fromkeys(
        ("restate", "restate_reason"), ("ingest", "export", "import", "verify", "prune", "demo")
    ),
    **dict.fromkeys(("export_format", "fill"), ("ingest", "export", "import", "demo")),
    "strict_symbols": ("ingest",),
}
"""Where a flag is not used as the others under its heading are."""


def users_of(flag: str) -> tuple[str, ...]:
    """The commands that use a flag; all of them for one that is listed under no heading."""
    if flag in _USED_BY_FLAG:
        return _USED_BY_FLAG[flag]
    headings = (heading for heading, names in GROUPS.items() if flag in names)
    return _USED_BY_GROUP.get(next(headings, ""), _ALL)
