"""Two hundred gaps of random place, length and reason: found, told of, filled, and remembered."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from archive_files import kraken_text
from injected_gaps import Ill, IllExchange, Span

from candle_ingestor.model.times import iso_text, parse_time_ms
from exchange_simulator import ExchangeSimulator, Fault

MINUTE_MS = 60_000
EXCHANGES_OF = {
    "BTC/USD": ("coinbaseexchange", "bitstamp", "kraken"),
    "ETH/USD": ("coinbaseexchange", "binanceus"),
}
MINIMUM = 2
SERIES = [(exchange, symbol) for symbol, names in EXCHANGES_OF.items() for exchange in names]
FIRST_DAY_MS = parse_time_ms("2024-05-02T00:00:00Z")
START_MS = parse_time_ms("2024-05-03T00:00:00Z")
FIRST_RUN_MS = parse_time_ms("2024-05-03T11:10:30Z")
# The holes are just out of Kraken's reach of twelve hours by then.
SECOND_RUN_MS = parse_time_ms("2024-05-03T23:05:30Z")
THIRD_RUN_MS = parse_time_ms("2024-05-03T23:35:30Z")
ROOM_MINUTES = 11 * 60
HOLES = 40
WHY = {Ill.BAD_ROWS: "rejected", Ill.NO_PAGE: "fetch_failed", Ill.CUT: "fetch_failed"}

FINAL = ("beyond_reach", "not_listed_yet")
FILLABLE = ("rejected", "fetch_failed")

Gap = tuple[int, int, str]
Key = tuple[str, str]
Told = dict[str, Any]


def random_holes(market: ExchangeSimulator, key: Key, random: Random) -> list[Span]:
    """Spans of traded minutes, none next to another, with a traded minute at either side."""
    end_ms = START_MS + ROOM_MINUTES * MINUTE_MS
    free = {c.open_ms for c in market.true_candles(*key, MINUTE_MS, START_MS, end_ms)}
    holes: list[Span] = []
    while len(holes) < HOLES:
        first_ms = START_MS + random.randrange(ROOM_MINUTES) * MINUTE_MS
        last_ms = first_ms + random.randint(2, 15) * MINUTE_MS
        minutes = range(first_ms, last_ms + MINUTE_MS, MINUTE_MS)
        if free.issuperset(minutes):
            free.difference_update(minutes)
            holes.append((minutes[1], minutes[-1]))
    return sorted(holes)


def by_minute(gaps: Iterable[Gap]) -> dict[int, str]:
    return {
        minute: reason for start, end, reason in gaps for minute in range(start, end, MINUTE_MS)
    }


def joined(reasons: Mapping[int, str]) -> list[Gap]:
    """The fewest gaps of these minutes."""
    found: list[Gap] = []
    for minute in sorted(reasons):
        if found and found[-1][1:] == (minute, reasons[minute]):
            found[-1] = (found[-1][0], minute + MINUTE_MS, reasons[minute])
        else:
            found.append((minute, minute + MINUTE_MS, reasons[minute]))
    return found


def merged_gaps(of_sources: Iterable[list[Gap]]) -> list[Gap]:
    """Why each minute is not merged that fewer than the minimum cover, told minute by minute."""
    sources = [by_minute(gaps) for gaps in of_sources]
    reasons = {}
    for minute in {minute for source in sources for minute in source}:
        found = Counter(source.get(minute, "covered") for source in sources)
        may_come = 0
        for reason in ("covered", "not_fetched", "fetch_failed", "rejected"):
            may_come += found[reason]
            if may_come >= MINIMUM:
                reasons[minute] = reason
                break
        else:
            is_unlisted = found.keys() == {"not_listed_yet"}
            reasons[minute] = "not_listed_yet" if is_unlisted else "below_minimum"
    return joined({minute: reason for minute, reason in reasons.items() if reason != "covered"})


def with_merged(gaps: Mapping[Key, list[Gap]]) -> dict[Key, list[Gap]]:
    return {
        **gaps,
        **{
            ("aggregated", symbol): merged_gaps(gaps[exchange, symbol] for exchange in exchanges)
            for symbol, exchanges in EXCHANGES_OF.items()
        },
    }


def listed(job: Any, now_ms: int) -> list[Told]:
    shown = job.run_well(
        "gaps", "--by_exchange", format="json", exchange_settings_file=None, now=now_ms
    )
    gaps: list[Told] = json.loads(shown.output)["gaps"]
    return gaps


def by_series(told: Iterable[Told], is_wanted: Callable[[Told], bool]) -> dict[Key, list[Gap]]:
    found: dict[Key, list[Gap]] = {key: [] for key in SERIES}
    found |= {("aggregated", symbol): [] for symbol in EXCHANGES_OF}
    for gap in filter(is_wanted, told):
        interval = parse_time_ms(gap["start"]), parse_time_ms(gap["end"])
        found[gap["exchange"], gap["symbol"]].append((*interval, gap["reason"]))
    return {key: sorted(gaps) for key, gaps in found.items()}


def open_ones(told: Iterable[Told]) -> dict[Key, list[Gap]]:
    return by_series(told, lambda gap: gap["status"] != "filled")


def filled_ones(told: Iterable[Told]) -> dict[Key, list[Gap]]:
    """The same of filled ones, those that touch as one."""
    found = by_series(told, lambda gap: gap["status"] == "filled")
    return {key: joined(by_minute(gaps)) for key, gaps in found.items()}


def minute_of(time_ms: int) -> int:
    return time_ms // MINUTE_MS * MINUTE_MS


def to_minute(time_ms: int) -> str:
    return iso_text(time_ms)[:16]


def minutes_of(gaps: Iterable[Gap], *reasons: str) -> dict[int, str]:
    return {minute: why for minute, why in by_minute(gaps).items() if why in reasons}


def fetch(job: Any, market: ExchangeSimulator, now_ms: int, symbol: str) -> None:
    market.clock.set(now_ms)
    finished = job.run(
        now=now_ms,
        symbols=symbol,
        exchanges=",".join(EXCHANGES_OF[symbol]),
        min_exchanges_required=MINIMUM,
        backfill_start_date=iso_text(FIRST_DAY_MS)[:10],
    )
    assert finished.exit_code in (0, 1), finished.errors


def test_each_is_found_and_none_invented_and_what_can_be_filled_is_told_of_as_filled(
    new_job: Any, simulate: Any, tmp_path: Path
) -> None:
    random = Random(10)
    market = simulate(
        now_ms=FIRST_RUN_MS,
        exchanges=("coinbaseexchange", "bitstamp", "kraken", "binanceus"),
        symbols=tuple(EXCHANGES_OF),
        listed_since_ms={"ETH": START_MS},
    )
    ill = {key: IllExchange(market, *key) for key in SERIES}
    holes = {key: random_holes(market, key, random) for key in SERIES}
    assert sum(map(len, holes.values())) == 200
    job = new_job("job", run_report_path=None)
    job.use(market)

    # What an exchange shows of every hole is no candle.
    for key, spans in holes.items():
        ill[key].spoil([(span, Ill.BAD_ROWS) for span in spans])
    for symbol in EXCHANGES_OF:
        fetch(job, market, FIRST_RUN_MS, symbol)
    expected = {key: [(*span, "rejected") for span in spans] for key, spans in holes.items()}
    # Kraken is believed with a margin of two candles.
    reach_ms = FIRST_RUN_MS // MINUTE_MS * MINUTE_MS - 717 * MINUTE_MS
    before = {
        ("kraken", "BTC/USD"): [(FIRST_DAY_MS, reach_ms, "beyond_reach")],
        ("coinbaseexchange", "ETH/USD"): [(FIRST_DAY_MS, START_MS, "not_listed_yet")],
        ("binanceus", "ETH/USD"): [(FIRST_DAY_MS, START_MS, "not_listed_yet")],
    }
    expected = {key: [*before.get(key, []), *gaps] for key, gaps in expected.items()}
    assert open_ones(listed(job, FIRST_RUN_MS)) == with_merged(expected)

    # Each hole is ill in its own way; Kraken's are beyond its reach, and binanceus refuses all.
    ways = {key: [random.choice(list(Ill)) for _ in spans] for key, spans in holes.items()}
    for key, spans in holes.items():
        ill[key].spoil(list(zip(spans, ways[key], strict=True)))
    market.set_faults([Fault("binanceus", "418", 1.0)])
    for symbol in EXCHANGES_OF:
        fetch(job, market, SECOND_RUN_MS, symbol)
    left = {
        key: [(*span, WHY[way]) for span, way in zip(spans, ways[key], strict=True)]
        for key, spans in holes.items()
    }
    left["kraken", "BTC/USD"] = [(*span, "beyond_reach") for span in holes["kraken", "BTC/USD"]]
    left["binanceus", "ETH/USD"] = [
        *((*span, "fetch_failed") for span in holes["binanceus", "ETH/USD"]),
        (minute_of(FIRST_RUN_MS), minute_of(SECOND_RUN_MS), "fetch_failed"),
    ]
    # What nobody asked for yet.
    since = (minute_of(SECOND_RUN_MS), minute_of(THIRD_RUN_MS), "not_fetched")
    expected = {key: [*before.get(key, []), *gaps, since] for key, gaps in left.items()}
    told = listed(job, THIRD_RUN_MS)
    assert open_ones(told) == with_merged(expected)
    of_holes = [gap for gap in told if gap["since"] is not None and gap["remedy"]["command"]]
    asked_twice = [gap for gap in of_holes if gap["exchange"] in ("coinbaseexchange", "bitstamp")]
    assert {(gap["since"][:16], gap["attempts"]) for gap in asked_twice} == {
        (to_minute(FIRST_RUN_MS), 2)
    }
    errors = {gap["last_error"] for gap in of_holes if gap["exchange"] == "binanceus"}
    assert errors
    assert all("418" in error for error in errors)
    rejected = {gap["last_error"] for gap in asked_twice if gap["reason"] == "rejected"}
    assert rejected == {"a price is not above 0"}

    # All exchanges are well again.
    market.set_faults([])
    for one in ill.values():
        one.spoil([])
    for symbol in EXCHANGES_OF:
        fetch(job, market, THIRD_RUN_MS, symbol)
    told = listed(job, THIRD_RUN_MS)
    final = {key: minutes_of(gaps, *FINAL) for key, gaps in with_merged(expected).items()}
    assert open_ones(told) == {key: joined(gaps) for key, gaps in final.items()}
    filled = {key: minutes_of(gaps, *FILLABLE) for key, gaps in with_merged(expected).items()}
    assert filled_ones(told) == {key: joined(gaps) for key, gaps in filled.items()}
    for gap in told:
        if gap["status"] == "filled":
            is_late = gap["start"][:16] >= to_minute(FIRST_RUN_MS)
            assert gap["since"][:16] == to_minute(SECOND_RUN_MS if is_late else FIRST_RUN_MS)
            assert gap["filled"][:16] == to_minute(THIRD_RUN_MS)

    # Kraken's file has what is beyond its reach.
    candles = market.true_candles("kraken", "BTC/USD", MINUTE_MS, FIRST_DAY_MS, THIRD_RUN_MS)
    rows = [(c.open_ms, *map(float, (c.open, c.high, c.low, c.close, c.volume))) for c in candles]
    file = tmp_path / "XBTUSD_1.csv"
    file.write_text(kraken_text(rows))
    job.run_well("import", str(file), now=THIRD_RUN_MS, exchange_settings_file=None)
    told = listed(job, THIRD_RUN_MS)
    assert open_ones(told)["kraken", "BTC/USD"] == []
    beyond = [*before["kraken", "BTC/USD"], *left["kraken", "BTC/USD"]]
    assert filled_ones(told)["kraken", "BTC/USD"] == beyond
