"""How complete everything is, what that adds up to, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.archives.publications import Publication
from candle_ingestor.completeness.figures import Figures, sum_of
from candle_ingestor.completeness.next_steps import NextStep, files_to_get, next_steps
from candle_ingestor.completeness.remedies import USUAL_PLACE, Place
from candle_ingestor.completeness.series_report import SeriesReport, report_series
from candle_ingestor.completeness.wanted_candles import wanted_candles
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.settle.accounting import wanted_of
from candle_ingestor.settle.derived import made_of


@dataclass(frozen=True)
class ReportParts:
    """What a report is told from.

    Attributes:
        store: what a person calls the store.
        filling: the series of which a run that works meanwhile may fill gaps.
        place: what the commands of remedies say of the store.
    """

    ledger: Ledger
    store: str
    now_ms: int
    settle_seconds: float
    filling: frozenset[Series] = frozenset()
    place: Place = USUAL_PLACE


@dataclass(frozen=True)
class Total:
    """The figures of all series of one timeframe that share a name.

    Attributes:
        name: a tier, symbol, exchange, timeframe or month; None for symbols without a tier.
    """

    name: str | None
    timeframe: Timeframe
    figures: Figures


@dataclass(frozen=True)
class Totals:
    """What the series add up to, each of the lists by name and timeframe.

    Exchanges are told of by their own series. All else is told by the merged series, and by an
    exchange's only where nothing of that symbol is merged.
    """

    tiers: tuple[Total, ...]
    symbols: tuple[Total, ...]
    exchanges: tuple[Total, ...]
    timeframes: tuple[Total, ...]
    months: tuple[Total, ...]


@dataclass(frozen=True)
class Attention:
    """A symbol of which something is missing that can be had by now, and is not fresh.

    Attributes:
        asset: its series that is counted.
        lacking: the series that it is made from of which something is missing that can be had
            by now.
    """

    asset: SeriesReport
    lacking: tuple[SeriesReport, ...]


@dataclass(frozen=True)
class CompletenessReport:
    """How complete everything is.

    Attributes:
        series: each merged series, followed by the exchanges' own that it is made from.
        counted: those of them that stand for their symbol: the merged ones, and an exchange's where
            nothing of that symbol is merged.
        attention: the symbols that need some, the least complete first.
        next_steps: commands that fill gaps, those first that fill most.
        downloads: the published files that have what is missing.
    """

    store: str
    now_ms: int
    filling: frozenset[Series]
    series: tuple[SeriesReport, ...]
    counted: tuple[SeriesReport, ...]
    totals: Totals
    attention: tuple[Attention, ...]
    next_steps: tuple[NextStep, ...]
    downloads: tuple[Publication, ...]

    @property
    def is_running(self) -> bool:
        """Whether a run is at work that may fill gaps."""
        return bool(self.filling)

    def below(self, least_pct: float) -> list[SeriesReport]:
        """The counted series that are less complete than that."""
        return [each for each in self.counted if each.figures.is_below(least_pct)]


def make_report(parts: ReportParts, shown: Sequence[Series]) -> CompletenessReport:
    """The report of these series, in their order.

    Wanted is what the last run wanted of each, up to the newest closed candle.

    Raises:
        StoreError: if the store cannot be read.
    """
    ledger = parts.ledger
    ends = {
        each: each.timeframe.closed_end_ms(parts.now_ms, parts.settle_seconds) for each in shown
    }
    wanted = {each: wanted_of(ledger.record(each), ends[each]) for each in shown}
    candles = wanted_candles(ledger, wanted)
    reports = tuple(
        report_series(ledger, each, wanted[each], candles[each], ends[each], parts.place)
        for each in shown
    )
    counted = tuple(_counted(ledger, reports))
    return CompletenessReport(
        store=parts.store,
        now_ms=parts.now_ms,
        filling=parts.filling,
        series=reports,
        counted=counted,
        totals=_totals(reports, counted),
        attention=tuple(_attention(ledger, reports, counted, parts.now_ms)),
        next_steps=tuple(next_steps(reports, parts.now_ms)),
        downloads=tuple(files_to_get(reports)),
    )


def _counted(ledger: Ledger, reports: Collection[SeriesReport]) -> Iterable[SeriesReport]:
    merged = [each.series for each in reports if each.series.is_merged]
    is_merged = {(series.symbol, series.timeframe) for series in merged}
    sources = {source for series in merged for source in made_of(ledger, series)}
    for each in reports:
        series = each.series
        is_alone = series not in sources and (series.symbol, series.timeframe) not in is_merged
        if series.is_merged or is_alone:
            yield each


def _totals(reports: Iterable[SeriesReport], counted: Sequence[SeriesReport]) -> Totals:
    by_month: dict[tuple[str | None, Timeframe], list[Figures]] = {}
    for report in counted:
        for month in report.months:
            key = str(month.month), report.series.timeframe
            by_month.setdefault(key, []).append(month.figures)
    own = [each for each in reports if not each.series.is_merged]
    return Totals(
        tiers=_by_name(counted, lambda each: None if each.tier is None else str(each.tier)),
        symbols=_by_name(counted, lambda each: str(each.series.symbol)),
        exchanges=_by_name(own, lambda each: each.series.exchange),
        timeframes=tuple(
            sorted(
                _by_name(counted, lambda each: str(each.series.timeframe)),
                key=lambda total: total.timeframe,
            )
        ),
        months=_summed(by_month),
    )


def _by_name(
    reports: Iterable[SeriesReport], name_of: Callable[[SeriesReport], str | None]
) -> tuple[Total, ...]:
    found: dict[tuple[str | None, Timeframe], list[Figures]] = {}
    for report in reports:
        key = name_of(report), report.series.timeframe
        found.setdefault(key, []).append(report.figures)
    return _summed(found)


def _summed(found: Mapping[tuple[str | None, Timeframe], list[Figures]]) -> tuple[Total, ...]:
    totals = [Total(name, timeframe, sum_of(all_)) for (name, timeframe), all_ in found.items()]
    return tuple(sorted(totals, key=lambda one: (one.name is None, one.name or "", one.timeframe)))


def _attention(
    ledger: Ledger,
    reports: Iterable[SeriesReport],
    counted: Iterable[SeriesReport],
    now_ms: int,
) -> list[Attention]:
    by_series = {each.series: each for each in reports}
    found = []
    for asset in counted:
        below = [by_series.get(source) for source in made_of(ledger, asset.series)]
        lacking = tuple(each for each in below if each is not None and _can_have_more(each, now_ms))
        if lacking or _can_have_more(asset, now_ms):
            found.append(Attention(asset, lacking))
    return sorted(found, key=_least_complete_first)


def _can_have_more(report: SeriesReport, now_ms: int) -> bool:
    return any(not each.is_fresh and each.remedy.can_be_done(now_ms) for each in report.gaps)


def _least_complete_first(one: Attention) -> tuple[float, str]:
    complete = one.asset.figures.completeness_pct
    return 100.0 if complete is None else complete, one.asset.name
