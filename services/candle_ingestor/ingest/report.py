"""The run report: what a run did and what it left open (rule F4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from candle_ingestor.archives.publications import Publication, publications_of
from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.exchanges.session import RequestCounts
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.model.gaps import FINAL_REASONS, Gap, GapReason, candles_by_reason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.settle.outcome import TickerOutcome


class RunStatus(StrEnum):
    """How a run ended (rule F3).

    Stopped is early, but cleanly. Degraded is with every minute that could be had, though an
    exchange could not be used or left pages unanswered.
    """

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class SourceReport:
    """One exchange's part in a ticker; `gaps` are of the `wanted_candles`."""

    series: Series
    counts: SourceCounts = field(default_factory=SourceCounts)
    candles: int = 0
    revised: int = 0
    failed_pages: int = 0
    wanted_candles: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def exchange(self) -> str:
        return self.series.exchange


@dataclass
class TickerReport:
    """What a run did for one symbol."""

    outcome: TickerOutcome
    sources: list[SourceReport] = field(default_factory=list)
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        return self.outcome.symbol

    @property
    def errors(self) -> list[str]:
        return self.outcome.errors


@dataclass
class ExchangeTrouble:
    """What an exchange left unanswered, and the first error that it did so with."""

    error: str
    failed_pages: int = 0


@dataclass(frozen=True)
class ExchangeTotals:
    """One exchange's part in a run.

    Attributes:
        requests, retries, seconds: of all that was asked of it, its list of markets too; time
            during which requests were side by side counts once.
        candles, revised, rejected, failed_pages: as in its `SourceReport`s, summed.
    """

    requests: int
    candles: int
    revised: int
    rejected: int
    retries: int
    failed_pages: int
    seconds: float


@dataclass
class RunReport:
    """One run. `status` says how it ended, `stop_reason` why it ended early, if it did.

    Attributes:
        unavailable_exchanges: by exchange, why its markets could not be learnt.
        troubles: by exchange, what it left unanswered; the unavailable ones too.
        failure: what ended the run half-way, if anything did.
        symbols_wanted: how many symbols were named, also those that were passed over.
        is_export_wanted: whether the run was to write CSV.
        asked: by exchange, what asking it cost.
        service_identifier: of the service whose run it is.
        symbols: those that were named and understood.
    """

    run_id: str
    started_ms: int
    exchanges: tuple[str, ...]
    min_exchanges: int
    timeframe: str
    duration_ms: int
    tickers: list[TickerReport] = field(default_factory=list)
    dropped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rejected_symbols: list[str] = field(default_factory=list)
    unavailable_exchanges: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, ExchangeTrouble] = field(default_factory=dict)
    finished_ms: int = 0
    stop_reason: str | None = None
    failure: CandleIngestorError | None = None
    error: str | None = None
    max_price_deviation_pct: float = 0.0
    symbols_wanted: int = 0
    is_export_wanted: bool = False
    asked: Mapping[str, RequestCounts] = field(default_factory=dict)
    service_identifier: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def downloads(self) -> list[Publication]:
        """The published files that have what is beyond reach, by series and time."""
        found: dict[str, Publication] = {}
        for source in self._sources():
            beyond = IntervalSet(
                gap.interval for gap in source.gaps if gap.reason is GapReason.BEYOND_REACH
            )
            for each in publications_of(source.series, beyond):
                found.setdefault(f"{source.exchange} {each.words}", each)
        return list(found.values())

    @property
    def failed_tickers(self) -> list[TickerReport]:
        return [ticker for ticker in self.tickers if ticker.errors]

    @property
    def status(self) -> RunStatus:
        if self.error or self.failed_tickers:
            return RunStatus.FAILED
        if self.stop_reason:
            return RunStatus.STOPPED
        return RunStatus.DEGRADED if self.troubles else RunStatus.OK

    @property
    def is_unfinished(self) -> bool:
        """Whether it ended before it came to its end."""
        return self.stop_reason is not None or self.error is not None

    @property
    def complete_tickers(self) -> list[TickerReport]:
        return [ticker for ticker in self.tickers if self.is_complete(ticker)]

    @property
    def known_and_wanted(self) -> tuple[int, int]:
        """How many candle lengths are known on all exchanges, and of how many that can be had."""
        known = wanted = 0
        for source in self._sources():
            gaps = candles_by_reason(source.gaps, self.duration_ms)
            known += source.wanted_candles - sum(gaps.values())
            wanted += source.wanted_candles - sum(gaps.get(r, 0) for r in FINAL_REASONS)
        return known, wanted

    def is_complete(self, ticker: TickerReport) -> bool:
        """Whether nothing of it is missing or failed, and its CSV is written if that is wanted."""
        return not (ticker.errors or self.missing(ticker) or self.lacks_export(ticker))

    def missing(self, ticker: TickerReport) -> Mapping[GapReason, int]:
        """How many candle lengths a ticker lacks by reason; time before its market is no lack."""
        totals = candles_by_reason(ticker.outcome.gaps, self.duration_ms)
        return {r: n for r, n in totals.items() if r is not GapReason.NOT_LISTED_YET}

    def lacks_export(self, ticker: TickerReport) -> bool:
        """Whether its CSV was to be written and was not come to."""
        return self.is_export_wanted and not ticker.outcome.is_exported

    def note_trouble(self, exchange: str, error: str) -> None:
        """Counts a page that the exchange left unanswered."""
        self.troubles.setdefault(exchange, ExchangeTrouble(error)).failed_pages += 1

    def totals_of(self, exchange: str) -> ExchangeTotals:
        """What the exchange did in the whole run."""
        sources = [source for source in self._sources() if source.exchange == exchange]
        asked = self.asked.get(exchange, RequestCounts())
        return ExchangeTotals(
            asked.requests,
            sum(source.candles for source in sources),
            sum(source.revised for source in sources),
            sum(source.counts.rejected for source in sources),
            asked.retries,
            sum(source.failed_pages for source in sources),
            asked.seconds,
        )

    def _sources(self) -> Collection[SourceReport]:
        # Two tickers may share a series.
        sources = (source for ticker in self.tickers for source in ticker.sources)
        return {source.series: source for source in sources}.values()
