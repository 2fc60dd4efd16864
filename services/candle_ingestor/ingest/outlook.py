"""What a plan cannot reach, whatever the exchanges answer (rule M2). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.exchanges.advice import offered_stand_in
from candle_ingestor.exchanges.markets import Markets
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.ingest.plan import SeriesPlan
from candle_ingestor.ingest.preparing import Records, RunTicker, wanted_span
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, Listing
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import some_of
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.settle.ticker import Ticker

_MOST_SYMBOLS_NAMED = 3

WHAT_TO_DO = (
    "What cannot be merged stays a gap. Add exchanges that list the symbols and reach further "
    "back, give history files with --archive_dir, lower --min_exchanges_required, or start later"
)


@dataclass(frozen=True)
class Cause:
    """Why an exchange cannot help.

    Attributes:
        words: with `{symbol}` where the symbol is to be named.
        is_by_nature: whether it is only that the market did not exist yet.
    """

    exchange: str
    words: str
    is_by_nature: bool = False


@dataclass(frozen=True)
class Outlook:
    """What of a ticker cannot be merged, though every exchange answered all that it is asked.

    Attributes:
        hopeless_candles: how many of the wanted ones.
        at_most: how many of the required exchanges each of them can have at best.
    """

    symbol: Symbol
    timeframe: Timeframe
    wanted_candles: int
    hopeless_candles: int
    at_most: int
    required: int
    causes: tuple[Cause, ...]

    @property
    def is_by_nature(self) -> bool:
        """Whether no other configuration could help: only markets that did not exist yet lack."""
        return all(cause.is_by_nature for cause in self.causes)


def outlook_of(
    each: RunTicker,
    wanted: Interval,
    plans: Mapping[Series, SeriesPlan],
    records: Records,
    markets: Markets,
    reach_candles: Mapping[str, int | None],
) -> Outlook | None:
    """The outlook of a ticker; None where all that is wanted may be merged.

    `plans` are those of the series that are asked, and `reach_candles` how far back each exchange
    answers, None without a limit. Exchanges whose markets are unknown get the benefit of the
    doubt. What was merged before counts as it is.
    """
    ticker = each.ticker
    possible = {source.exchange: _possible(source, plans, records) for source in ticker.sources}
    possible |= {exchange: IntervalSet((wanted,)) for exchange in each.choice.unknown}
    merged = records.get(ticker.merged, NOTHING_KNOWN).covered
    required = ticker.basis.rules.min_exchanges
    hopeless = IntervalSet((wanted,)) - merged - covered_at_least(possible.values(), required)
    hopeless = hopeless - _made_by_former_rules(ticker, plans, records)
    if not hopeless:
        return None
    length_ms = ticker.merged.timeframe.duration_ms
    at_most = (
        count
        for count in range(required - 1, 0, -1)
        if covered_at_least(possible.values(), count) & hopeless
    )
    return Outlook(
        ticker.symbol,
        ticker.merged.timeframe,
        wanted.duration_ms // length_ms,
        hopeless.duration_ms // length_ms,
        next(at_most, 0),
        required,
        tuple(_causes(each, hopeless, possible, plans, records, markets, reach_candles)),
    )


def _made_by_former_rules(
    ticker: Ticker, plans: Mapping[Series, SeriesPlan], records: Records
) -> IntervalSet:
    """What earlier rules made, and will make again should a source have changed (rule M10)."""
    merging = records.get(ticker.merged, NOTHING_KNOWN).merging
    made = EMPTY
    for basis, part in merging.former if merging is not None else ():
        possible = (_possible(source, plans, records) for source in basis.sources)
        made = made | (part & covered_at_least(possible, basis.rules.min_exchanges))
    return made


def _possible(source: Series, plans: Mapping[Series, SeriesPlan], records: Records) -> IntervalSet:
    to_fetch = plans[source].to_fetch if source in plans else EMPTY
    return records.get(source, NOTHING_KNOWN).covered | to_fetch


def outlooks_of(
    tickers: Iterable[RunTicker],
    works: Mapping[Series, SeriesWork],
    records: Records,
    markets: Markets,
    reach_candles: Mapping[str, int | None],
) -> list[Outlook]:
    """The outlooks of a run's tickers, of those where something cannot be merged."""
    plans = {series: work.plan for series, work in works.items()}
    outlooks = (
        outlook_of(each, _wanted(each, works, records), plans, records, markets, reach_candles)
        for each in tickers
    )
    return [outlook for outlook in outlooks if outlook is not None]


def _wanted(each: RunTicker, works: Mapping[Series, SeriesWork], records: Records) -> Interval:
    return wanted_span(each, works, records.get(each.ticker.merged, NOTHING_KNOWN))


def outlook_words(outlooks: Iterable[Outlook]) -> list[tuple[str, bool]]:
    """A sentence for each set of tickers that look alike, the one with most minutes first.

    With each comes whether it is so by nature.
    """
    alike: dict[tuple[object, ...], list[Outlook]] = {}
    for each in outlooks:
        key = each.wanted_candles, each.hopeless_candles, each.at_most, each.required, each.causes
        alike.setdefault(key, []).append(each)
    groups = sorted(alike.values(), key=lambda group: -group[0].hopeless_candles * len(group))
    return [(_words_of(group), group[0].is_by_nature) for group in groups]


def _causes(
    each: RunTicker,
    hopeless: IntervalSet,
    possible: Mapping[str, IntervalSet],
    plans: Mapping[Series, SeriesPlan],
    records: Records,
    markets: Markets,
    reach_candles: Mapping[str, int | None],
) -> Iterable[Cause]:
    stand_in, serving = offered_stand_in(each.choice, markets)
    asked = {series.exchange: series for series in each.asked}
    for exchange in each.ticker.basis.rules.exchanges:
        lacks = hopeless - possible.get(exchange, EMPTY)
        if exchange in each.choice.lacking and lacks:
            words = f"{exchange} does not list {{symbol}}"
            if stand_in is not None and exchange in serving:
                quotes = f"{each.choice.symbol.quote}:{stand_in.quote}"
                words += f" (--quote_aliases={quotes} would help)"
            yield Cause(exchange, words)
        elif exchange in asked:
            series = asked[exchange]
            listing = records.get(series, NOTHING_KNOWN).listing
            yield from _causes_of_asked(
                exchange, lacks, plans[series], listing, reach_candles.get(exchange)
            )


def _causes_of_asked(
    exchange: str, lacks: IntervalSet, plan: SeriesPlan, listing: Listing, reach: int | None
) -> Iterable[Cause]:
    beyond = lacks & plan.unreachable.get(GapReason.BEYOND_REACH, EMPTY)
    early = lacks & plan.unreachable.get(GapReason.NOT_LISTED_YET, EMPTY)
    if beyond and reach is not None:
        remedy = " (--build_from_trades would help)" if exchange in TRADE_HABITS else ""
        yield Cause(exchange, f"{exchange} reaches {reach:,} candles back{remedy}")
    elif beyond:
        yield Cause(exchange, f"{exchange} answers nothing before {iso_text(beyond.end_ms)}")
    if early and listing.first_day_ms is not None:
        since = iso_text(listing.first_day_ms)[:10]
        yield Cause(exchange, f"{exchange} lists {{symbol}} since {since}", is_by_nature=True)
    if lacks - beyond - early:
        since = iso_text(plan.wanted.start_ms)
        yield Cause(exchange, f"{exchange} is asked for {{symbol}} from {since} on")


def _words_of(group: Sequence[Outlook]) -> str:
    first = group[0]
    symbols = [str(each.symbol) for each in group]
    named = some_of(symbols, _MOST_SYMBOLS_NAMED)
    unit = "minutes" if first.timeframe == Timeframe(1) else f"{first.timeframe} candles"
    wanted = f"of {first.wanted_candles:,} {unit} wanted{' of each' if len(group) > 1 else ''}"
    have = f"can have {f'at most {first.at_most}' if first.at_most else 'none'} of the "
    have += f"{first.required} exchanges required"
    if first.required == 1:
        have = "cannot be had"
    causes = [
        cause.words.format(symbol=symbols[0] if len(group) == 1 else "them")
        for cause in first.causes
    ]
    return f"{named}: {wanted}, {first.hopeless_candles:,} {have}: {', '.join(causes)}"
