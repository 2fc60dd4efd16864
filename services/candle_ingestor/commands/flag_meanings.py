"""What a flag means for a command that uses it otherwise than the flag's own help says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from candle_ingestor.commands.demo_settings import SETTINGS


class Meaning(NamedTuple):
    """What a flag means for a command.

    Attributes:
        words: the same as help of the flag; None where the flag's own holds.
        default: what counts without the flag, in words or as a value; None where the flag's own
            holds.
        values: what can be given, where that is less than the flag takes.
    """

    words: str | None = None
    default: str | None = None
    values: tuple[str, ...] = ()


_STORED = "all that is stored"
_IN_FILES = "all that the files hold"
_LENGTH = "Only candles of this length, in minutes or as 1m, 4h or 1d."
_SYMBOLS = "Only these symbols, separated by commas, such as BTC/USD,ETH/USD."
_SYMBOLS_FILE = "Only the symbols of this JSON, TOML, CSV or TXT file."
_DATES = "UTC: YYYY-MM-DD, YYYY-MM-DDTHH:MM, today, yesterday, or N_days_ago and the like."
_NO_REDIS = "without either no Redis is used"


def _choosing(without: str) -> dict[str, Meaning]:
    return {
        "symbols": Meaning(_SYMBOLS, without),
        "symbols_file": Meaning(_SYMBOLS_FILE, without),
        "candle_granularity_minutes": Meaning(_LENGTH, without),
    }


def _span(verb: str, without: str) -> dict[str, Meaning]:
    return {
        "backfill_start_date": Meaning(
            f"The time from which candles are {verb}, {_DATES}", without
        ),
        "days": Meaning(f"Short for the newest so many days: only these are {verb}.", without),
        "backfill_end_date": Meaning(
            f"The first time that is not {verb}, in the same forms.", "now"
        ),
    }


_REDIS = {
    "redis_url": Meaning(
        "Address of the Redis that holds the run lock of this store, in place of --redis_host and "
        f"--redis_port; the default is $REDIS_URL, and {_NO_REDIS}."
    ),
    "redis_host": Meaning(
        "Host of the Redis that holds the run lock of this store; the default is $REDIS_HOST, and "
        f"{_NO_REDIS}."
    ),
}


def _text_of(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


_MERGED_FROM = "those that the series is merged from so far"

_BY_COMMAND: Mapping[str, Mapping[str, Meaning]] = {
    "merge": {
        **_choosing(_STORED),
        **_REDIS,
        "candle_granularity_minutes": Meaning("The length of the candles that are merged."),
        "exchanges": Meaning("Merge from these exchanges, the primary one first.", _MERGED_FROM),
    },
    "export": {
        **_choosing(_STORED),
        **_REDIS,
        "candle_granularity_minutes": Meaning("The length of the candles that are exported."),
        "output": Meaning(
            "The folder of what --export_format=freqtrade, nautilus or lean writes; partitions go "
            "to --data_root.",
            "none",
        ),
        "exchanges": Meaning(
            "Of a symbol that was never merged: what it is merged from. Any other stays merged as "
            "it is, and the command merge changes that.",
            _MERGED_FROM,
        ),
    },
    "import": {
        **_choosing(_IN_FILES),
        **_REDIS,
        "run_mode": Meaning(
            "wet imports; dry reads the files, says what would be imported and writes nothing."
        ),
    },
    "verify": {
        **_choosing(_STORED),
        **_REDIS,
        **_span("compared", "the sample, drawn from all that is stored"),
        "exchanges": Meaning("Ask only these exchanges again.", "all of which candles are stored"),
        "format": Meaning("How the result is printed.", values=("text", "json")),
    },
    "prune": {
        **_choosing(_STORED),
        **_REDIS,
        "run_mode": Meaning("wet removes; dry says what would be removed and writes nothing."),
        "exchanges": Meaning(
            "Remove only the series of these exchanges, and no merged one.",
            "all of them, and what is merged from them",
        ),
        "format": Meaning("How the result is printed.", values=("text", "json")),
    },
    **{
        name: {
            **_choosing(_STORED),
            "exchanges": Meaning(
                "Also tell of the own series of these exchanges; without a value of those of all, "
                "as --by_exchange.",
                "merged series, and those that nothing is merged from",
            ),
            "format": Meaning(
                "How the result is printed: for people, or for programs.",
                values=("text", "json", "csv"),
            ),
        }
        for name in ("status", "gaps")
    },
    "runs": {
        "format": Meaning(
            "How the result is printed: for people, or for programs.",
            values=("text", "json", "csv"),
        ),
    },
    "quality": {
        **_choosing(_STORED),
        **_span("looked at", _STORED),
        "exchanges": Meaning(
            "Tell only what is found of these exchanges; they are compared with all.", _STORED
        ),
        "format": Meaning(
            "How the result is printed: for people, or for programs.",
            values=("text", "json", "csv"),
        ),
    },
    "report": {
        **_choosing(_STORED),
        "exchanges": Meaning(
            "Of exchanges' own series tell only of those of these exchanges.", _STORED
        ),
    },
    "demo": {name: Meaning(default=f"`{_text_of(value)}`") for name, value in SETTINGS.items()},
}


def meaning_of(flag: str, command: str) -> Meaning:
    """What the flag means for the command."""
    return _BY_COMMAND.get(command, {}).get(flag, Meaning())


def meanings_of(flag: str) -> dict[Meaning, list[str]]:
    """The commands for which the flag's own help does not hold, by what it means for them."""
    found: dict[Meaning, list[str]] = {}
    for command, meanings in _BY_COMMAND.items():
        if flag in meanings:
            found.setdefault(meanings[flag], []).append(command)
    return found
