"""What a run begins with: its tickers, and what is to be fetched of each series. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from candle_ingestor.config import Config
from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Market, Markets
from candle_ingestor.ingest.plan import (
    Window,
    catch_up_start_ms,
    kept_from_ms,
    plan_series,
)
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.sources.factory import Sources
from candle_ingestor.ingest.window import window_of
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.hand import MOST_ROWS
from candle_ingestor.model.decimals import digits_of_precision
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, Precision, SeriesRecord, Wanted
from candle_ingestor.model.times import minute_text
from candle_ingestor.settle.state import catch_up_key
from candle_ingestor.settle.ticker import Ticker, basis_of, choose_basis
from candle_ingestor.symbols.requests import SymbolList

Records = Mapping[Series, SeriesRecord]

_OVERLAP_CANDLES = 16
"""Nearly always the last known candle is among so many."""

_MOST_NEWEST_CANDLES = 1_500
"""A series that has not been read for longer is read by itself."""


@dataclass(frozen=True)
class RunTicker:
    """A ticker of a run, what is wanted of it, where it is listed now, and its tier if named."""

    ticker: Ticker
    window: Window
    choice: MarketChoice
    tier: int | str | None = None

    @property
    def asked(self) -> list[Series]:
        """The series that are fetched; the other sources are merged as they are stored."""
        return [s for s in self.ticker.sources if s.exchange in self.choice.markets]


def make_tickers(
    config: Config,
    symbols: SymbolList,
    choices: Iterable[MarketChoice],
    records: Records,
    now_ms: int,
) -> list[RunTicker]:
    """The tickers of a run that starts at `now_ms`, of the symbols that are listed so."""
    requests = {request.symbol: request for request in symbols.requests}
    timeframe = config.candles.timeframe
    tickers = []
    for choice in choices:
        request = requests[choice.symbol]
        merged = Series.merged(request.symbol, timeframe)
        listed = {exchange: market.symbol for exchange, market in choice.markets.items()}
        basis = choose_basis(
            request.symbol,
            timeframe,
            config.rules,
            listed,
            basis_of(records, merged),
            records.keys(),
            choice.unknown,
        )
        digits = request.price_decimal_digits, request.volume_decimal_digits
        window = window_of(config.candles, request, now_ms)
        tickers.append(RunTicker(Ticker(merged, basis, *digits), window, choice, request.tier))
    return tickers


def learnt_records(
    tickers: Iterable[RunTicker],
    records: Records,
    markets: Markets,
    state: Mapping[str, int],
) -> dict[Series, SeriesRecord]:
    """The records of the tickers' sources with what their markets tell, and where catch-up begins.

    What only earlier rules merged is told of, too. `state` is an older service's, which counts
    where nothing is covered yet.
    """
    learnt: dict[Series, SeriesRecord] = {}
    known_symbols = {series.symbol for series, record in records.items() if record.covered}
    for each in tickers:
        merged = each.ticker.merged
        sources = each.ticker.sources
        # State knows no timeframes: what another one is known of, this service wrote.
        is_new = known_symbols.isdisjoint(source.symbol for source in sources)
        honoured_ms = state.get(catch_up_key(merged)) if is_new else None
        for source in {*sources, *_record(records, merged).sources}:
            listed = markets.get(source.exchange)
            if listed is None:
                continue
            known = learnt.get(source, _record(records, source))
            market = listed.get(source.symbol)
            if market is None and known == NOTHING_KNOWN:
                # It was named while the exchange could not say what it lists.
                continue
            record = _with_market(known, market)
            is_asked = source in each.asked and not each.window.is_bounded
            if record.catch_up_from_ms is None and is_asked:
                start_ms = catch_up_start_ms(each.window, source.timeframe, honoured_ms)
                record = replace(record, catch_up_from_ms=start_ms)
            learnt[source] = record
    return learnt


def plan_works(
    tickers: Sequence[RunTicker], records: Records, sources: Mapping[str, Sources]
) -> dict[Series, SeriesWork]:
    """What is to be fetched of every series, each once however many tickers use it."""
    windows: dict[Series, Window] = {}
    for each in tickers:
        for series in each.asked:
            window = windows.get(series, each.window)
            windows[series] = window.reaching_back_to(each.window)
    return {
        series: SeriesWork(
            series,
            sources[series.exchange].endpoint,
            plan_series(
                window,
                _record(records, series),
                series.timeframe,
                sources[series.exchange].endpoint.reach_start_ms(series.timeframe),
                partial(sources[series.exchange].offers, series),
            ),
            SourceReport(series),
            sources[series.exchange].further,
        )
        for series, window in windows.items()
    }


def wanted_span(
    each: RunTicker, works: Mapping[Series, SeriesWork], record: SeriesRecord
) -> Interval:
    """What the run is to account for of a ticker's merged series, of which `record` tells."""
    window = each.window
    spans = [works[series].plan.wanted for series in each.asked]
    start_ms = min(span.start_ms for span in spans)
    end_ms = max(window.end_ms, start_ms)
    if window.start_ms is not None:
        start_ms = each.ticker.merged.timeframe.ceil_ms(max(window.start_ms, 0))
    start_ms = max(start_ms, kept_from_ms(window, record))
    return Interval(min(start_ms, end_ms), end_ms)


def with_unreachable(
    works: Mapping[Series, SeriesWork], records: Records
) -> dict[Series, SeriesRecord]:
    """The records of what is to be fetched, with what is beyond reach in them."""
    return {
        series: replace(
            _record(records, series),
            coverage=_record(records, series).coverage.with_reasons(work.plan.unreachable),
        )
        for series, work in works.items()
    }


def with_wanted(
    tickers: Collection[RunTicker], works: Mapping[Series, SeriesWork], records: Records
) -> dict[Series, SeriesRecord]:
    """The records of the tickers' series with what the run wants of them, and their tiers.

    What serves in place of a symbol has the tier of its own, and what no list names a tier of keeps
    the one that it has. What went into a merged series before, and is asked for no more, is no
    longer wanted.
    """
    wanting = {
        series: replace(_record(records, series), wanted=None)
        for series in _given_up(tickers, records)
    }
    for each in tickers:
        spans = {series: works[series].plan.wanted for series in each.asked}
        merged = each.ticker.merged
        spans[merged] = wanted_span(each, works, _record(records, merged))
        for source in each.ticker.sources:
            # An exchange that could not be asked may have been given up before.
            if source in records and source not in works and records[source].wanted is None:
                spans[source] = spans[merged]
        for series, span in spans.items():
            until_ms = span.end_ms if each.window.is_bounded else None
            wanted = Wanted(span.start_ms, until_ms)
            known = wanting.get(series, _record(records, series))
            is_of_tier = each.tier is not None and series.symbol == each.ticker.symbol
            tier = each.tier if is_of_tier else known.tier
            wanting[series] = replace(_wanting(known, wanted), tier=tier)
    return wanting


def _given_up(tickers: Collection[RunTicker], records: Records) -> set[Series]:
    made = {each.ticker.merged for each in tickers}
    bases = {
        series: record.merging.basis
        for series, record in records.items()
        if record.merging is not None
    }
    before = {source for series in made & bases.keys() for source in bases[series].sources}
    in_use = {source for each in tickers for source in each.ticker.sources}
    in_use |= {source for series in bases.keys() - made for source in bases[series].sources}
    return before - in_use


def pruned_words(tickers: Iterable[RunTicker], records: Records) -> list[str]:
    """A sentence a ticker of which the run would want what was pruned."""
    said = []
    for each in tickers:
        until_ms = kept_from_ms(each.window, _record(records, each.ticker.merged))
        if each.window.start_ms is not None and each.window.start_ms < until_ms:
            said.append(
                f"{each.ticker.symbol} was pruned of what lies before {minute_text(until_ms)}; "
                "--force fetches it again"
            )
    return said


def series_of(tickers: Iterable[RunTicker]) -> set[Series]:
    """The merged series of the tickers, and what they are made from."""
    return {series for each in tickers for series in (each.ticker.merged, *each.ticker.sources)}


def newest_needed_ms(tickers: Sequence[RunTicker], records: Records, end_ms: int) -> int | None:
    """From when on the stored candles of all series are needed at once.

    None where nothing is stored, and where what is stored ends long before `end_ms`. No more is
    asked for than half of what the ledger holds in hand.
    """
    asked = {series: _record(records, series) for each in tickers for series in each.asked}
    needed = {
        _known_end_ms(record) - _OVERLAP_CANDLES * series.timeframe.duration_ms
        for series, record in asked.items()
        if record.covered
    }
    if not needed:
        return None
    most_candles = min(_MOST_NEWEST_CANDLES, MOST_ROWS // 2 // len(series_of(tickers)))
    earliest_ms = end_ms - most_candles * tickers[0].ticker.merged.timeframe.duration_ms
    return min((time_ms for time_ms in needed if time_ms >= earliest_ms), default=None)


def _known_end_ms(record: SeriesRecord) -> int:
    """Up to where nothing is to be asked again."""
    ends_ms = [record.covered.end_ms]
    ends_ms += [record.provisional.start_ms] if record.provisional else []
    return min(ends_ms)


def _wanting(record: SeriesRecord, wanted: Wanted) -> SeriesRecord:
    """What was pruned and is wanted again counts as pruned no longer."""
    pruned_until_ms = record.pruned_until_ms
    if pruned_until_ms is not None:
        pruned_until_ms = min(pruned_until_ms, wanted.from_ms)
    return replace(record, wanted=wanted, pruned_until_ms=pruned_until_ms)


def _record(records: Records, series: Series) -> SeriesRecord:
    return records.get(series, NOTHING_KNOWN)


def _with_market(record: SeriesRecord, market: Market | None) -> SeriesRecord:
    listing = replace(record.listing, is_delisted=market is None)
    if market is None:
        return replace(record, listing=listing)
    learnt = record.precision or Precision()
    precision = Precision(
        _digits(market.price_step, learnt.price_digits),
        _digits(market.amount_step, learnt.volume_digits),
    )
    return replace(
        record, precision=None if precision == Precision() else precision, listing=listing
    )


def _digits(step: float | None, learnt: int | None) -> int | None:
    return digits_of_precision(step) if learnt is None and step else learnt
