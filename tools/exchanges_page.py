"""Writes docs/exchanges.md, which tells of every ccxt exchange with candles: `make docs`.

What it says comes from the habits, from ccxt, and from the remarks below, which a test proves by
asking each exchange through a stub of its wire format.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ccxt

from candle_ingestor.exchanges.habits import HABITS, ExchangeHabits, habits_of
from candle_ingestor.exchanges.unusable import why_unusable

PAGE = Path(__file__).resolve().parent.parent / "docs" / "exchanges.md"

NEEDS_KEYS = {"luno", "modetrade", "woofipro"}
"""Exchanges that tell candles only to who has an account."""

NEWEST_ONLY = {
    *("bithumb", "bitrue", "bitteam", "bittrade", "deepcoin"),
    *("nado", "p2b", "phemex", "weex"),
}
"""Exchanges that ccxt asks for their newest candles, whatever beginning is wanted."""

REMARKS = {
    "bitbank": "answers a day of candles, however many are asked for",
    "delta": "ccxt does not tell what the volumes of its spot markets count",
    "luno": "needs API keys",
}

_HEAD = """\
# Exchanges

ccxt reads candles of {count} exchanges. This page is made by `make docs` from what the job knows of
each; a test asks every one of them through a stub of its wire format.

- **Described**: a row in `exchanges/habits.py` says how its candle endpoint answers. Those marked
  so are in the [simulator](simulator.md) too, and the conformance tests run over them.
- **With caution**: ccxt reads its candles, and nobody has described it. It is asked for pages of
  the size that ccxt states, or of 100 candles. How far back it answers is not known, so that its
  silence is believed less: before the first candle that it shows, time is `beyond_reach`, never a
  time without trade. That its volumes count the base currency is ccxt's word.
- **Not usable**: `--exchanges` refuses it, or it has no spot market.

Candles are merged by base volume. Where an exchange's rows carry the base volume beside the one
that ccxt reads, the row layout picks it; where they do not, the exchange is refused.

"""


def exchanges_page() -> str:
    """The page's text."""
    clients = [getattr(ccxt, name)() for name in ccxt.exchanges]
    clients = [client for client in clients if client.has["fetchOHLCV"]]
    unusable = {client.id: why for client in clients if (why := _why_not(client)) is not None}
    described = [client for client in clients if client.id in HABITS and client.id not in unusable]
    others = [c for c in clients if c.id not in HABITS and c.id not in unusable]
    parts = [
        _HEAD.format(count=len(clients)),
        "## Described\n\n",
        _table(
            ("exchange", "candles a page", "reaches back", "volume", "simulated", "remark"),
            (_described_row(HABITS[client.id]) for client in described),
        ),
        "\n## With caution\n\n",
        _table(
            ("exchange", "candles a page", "timeframes", "remark"),
            (_other_row(client) for client in others),
        ),
        "\n## Not usable\n\n",
        _table(("exchange", "why"), ((name, why) for name, why in unusable.items())),
    ]
    return "".join(parts)


def trades_spot(exchange: str) -> bool:
    """Whether ccxt knows of spot markets there."""
    return getattr(ccxt, exchange)().has["spot"] is not False


def _why_not(client: Any) -> str | None:
    if client.has["spot"] is False:
        return "has no spot market that ccxt knows of"
    return why_unusable(habits_of(client.id, None))


def _described_row(habits: ExchangeHabits) -> tuple[str, ...]:
    return (
        habits.exchange,
        f"{habits.page_candles:,}",
        _reach(habits),
        "base",
        "yes" if _is_simulated(habits.exchange) else "",
        _off_grid(habits),
    )


def _off_grid(habits: ExchangeHabits) -> str:
    names = ", ".join(sorted(habits.off_grid_timeframes))
    return f"its {names} candles do not open by UTC, and are refused" if names else ""


def _reach(habits: ExchangeHabits) -> str:
    if habits.reach_by_timeframe:
        parts = [
            f"{reach:,} of {name}" for name, reach in habits.reach_by_timeframe.items() if reach
        ]
        rest = "" if habits.is_reach_known else "; of others it is not known"
        return f"{', '.join(parts)}{rest}"
    if not habits.is_reach_known:
        return "not known"
    return "to the first one" if habits.reach_candles is None else f"{habits.reach_candles:,}"


def _is_simulated(exchange: str) -> bool:
    folder = PAGE.parent.parent / "services" / "exchange_simulator" / "dialects"
    return (folder / f"{exchange}.py").exists() or exchange == "binanceus"


def _other_row(client: Any) -> tuple[str, ...]:
    features = client.features or {}
    spot = features.get("spot") or features.get("default") or {}
    habits = habits_of(client.id, (spot.get("fetchOHLCV") or {}).get("limit"))
    names = list(client.timeframes)
    remarks = [REMARKS[client.id]] if client.id in REMARKS else []
    if client.id in NEWEST_ONLY:
        remarks.append("ccxt asks for its newest candles only, so that history stays out of reach")
    span = f"{names[0]} to {names[-1]}"
    return client.id, f"{habits.page_candles:,}", span, "; ".join(remarks)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(exchanges_page())
