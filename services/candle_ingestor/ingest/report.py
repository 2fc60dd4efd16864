"""The run report: what a run did and what it left open (rule F4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.times import iso_text
from candle_ingestor.settle.outcome import TickerOutcome

MOST_GAPS_LISTED = 100


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
    """One exchange's part in a ticker."""

    exchange: str
    symbol: str
    counts: SourceCounts = field(default_factory=SourceCounts)
    candles: int = 0
    revised: int = 0
    failed_pages: int = 0
    gaps: list[Gap] = field(default_factory=list)


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


@dataclass
class RunReport:
    """One run. `status` says how it ended, `stop_reason` why it ended early, if it did.

    Attributes:
        unavailable_exchanges: by exchange, why its markets could not be learnt.
        troubles: by exchange, what it left unanswered; the unavailable ones too.
        failure: what ended the run half-way, if anything did.
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

    def note_trouble(self, exchange: str, error: str) -> None:
        """Counts a page that the exchange left unanswered."""
        self.troubles.setdefault(exchange, ExchangeTrouble(error)).failed_pages += 1

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; times as ISO text and in ms, gaps with their reasons."""
        return {
            "run_id": self.run_id,
            "status": self.status.value,
            "started": iso_text(self.started_ms),
            "started_ms": self.started_ms,
            "finished_ms": self.finished_ms,
            "seconds": (self.finished_ms - self.started_ms) / 1000,
            "stop_reason": self.stop_reason,
            "error": self.error,
            "exchanges": list(self.exchanges),
            "min_exchanges_required": self.min_exchanges,
            "timeframe": self.timeframe,
            "unavailable_exchanges": self.unavailable_exchanges,
            "exchange_troubles": {
                exchange: {"error": trouble.error, "failed_pages": trouble.failed_pages}
                for exchange, trouble in self.troubles.items()
            },
            "dropped_symbols": {symbol: list(lacking) for symbol, lacking in self.dropped.items()},
            "rejected_symbols": self.rejected_symbols,
            "tickers": [self._ticker(ticker) for ticker in self.tickers],
        }

    def _ticker(self, ticker: TickerReport) -> dict[str, Any]:
        outcome = ticker.outcome
        return {
            "symbol": ticker.symbol,
            "status": "failed" if outcome.errors else "ok",
            "errors": outcome.errors,
            "stand_ins": dict(ticker.stand_ins),
            "rule_changes": outcome.rule_changes,
            "merged_candles": outcome.merged.candles,
            "covered_candles": outcome.covered_candles,
            "wanted_candles": outcome.wanted_candles,
            "disagreements": outcome.merged.disagreements,
            **self._gaps(outcome.gaps),
            "files_written": outcome.files_written,
            "exchanges": {
                source.exchange: {
                    "symbol": source.symbol,
                    "requests": source.counts.requests,
                    "candles": source.candles,
                    "revised": source.revised,
                    "rejected": source.counts.rejected,
                    "excluded": outcome.merged.excluded.get(source.exchange, 0),
                    "retries": source.counts.retries,
                    "failed_pages": source.failed_pages,
                    "seconds": round(source.counts.seconds, 3),
                    **self._gaps(source.gaps),
                }
                for source in ticker.sources
            },
        }

    def _gaps(self, gaps: list[Gap]) -> dict[str, Any]:
        return {
            "gap_candles": candles_by_reason(gaps, self.duration_ms),
            "gaps": [
                {
                    "start": iso_text(gap.interval.start_ms),
                    "end": iso_text(gap.interval.end_ms),
                    "reason": gap.reason.value,
                }
                for gap in gaps[:MOST_GAPS_LISTED]
            ],
            "gaps_not_listed": max(0, len(gaps) - MOST_GAPS_LISTED),
        }


def candles_by_reason(gaps: Iterable[Gap], duration_ms: int) -> Mapping[str, int]:
    """How many candle lengths each reason leaves open."""
    totals: dict[str, int] = {}
    for gap in gaps:
        candles = gap.interval.duration_ms // duration_ms
        totals[gap.reason.value] = totals.get(gap.reason.value, 0) + candles
    return totals
