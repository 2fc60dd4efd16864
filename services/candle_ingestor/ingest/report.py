"""The run report: what a run did and what it left open (rule F4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from candle_ingestor.ingest.merging import MergeCounts
from candle_ingestor.ingest.pager import PageCounts
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.times import iso_text

MOST_GAPS_LISTED = 100


class RunStatus(StrEnum):
    """How a run ended; stopped is early, but cleanly."""

    OK = "ok"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class SourceReport:
    """One exchange's part in a ticker."""

    exchange: str
    symbol: str
    counts: PageCounts = field(default_factory=PageCounts)
    candles: int = 0
    revised: int = 0
    failed_pages: int = 0
    gaps: list[Gap] = field(default_factory=list)


@dataclass
class TickerReport:
    """What a run did for one symbol."""

    symbol: str
    sources: list[SourceReport]
    stand_ins: dict[str, str]
    merged: MergeCounts = field(default_factory=MergeCounts)
    gaps: list[Gap] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rule_changes: list[str] = field(default_factory=list)
    files_written: list[str] = field(default_factory=list)
    covered_candles: int = 0
    wanted_candles: int = 0

    def fail(self, message: str) -> None:
        """Marks the ticker as failed, for each reason once."""
        if message not in self.errors:
            self.errors.append(message)


@dataclass
class RunReport:
    """One run. `status` says how it ended, `stop_reason` why it ended early, if it did."""

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
    finished_ms: int = 0
    stop_reason: str | None = None
    error: str | None = None

    @property
    def failed_tickers(self) -> list[TickerReport]:
        return [ticker for ticker in self.tickers if ticker.errors]

    @property
    def status(self) -> RunStatus:
        if self.error or self.failed_tickers:
            return RunStatus.FAILED
        return RunStatus.STOPPED if self.stop_reason else RunStatus.OK

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
            "dropped_symbols": {symbol: list(lacking) for symbol, lacking in self.dropped.items()},
            "rejected_symbols": self.rejected_symbols,
            "tickers": [self._ticker(ticker) for ticker in self.tickers],
        }

    def _ticker(self, ticker: TickerReport) -> dict[str, Any]:
        return {
            "symbol": ticker.symbol,
            "status": "failed" if ticker.errors else "ok",
            "errors": ticker.errors,
            "stand_ins": ticker.stand_ins,
            "rule_changes": ticker.rule_changes,
            "merged_candles": ticker.merged.candles,
            "covered_candles": ticker.covered_candles,
            "wanted_candles": ticker.wanted_candles,
            "disagreements": ticker.merged.disagreements,
            **self._gaps(ticker.gaps),
            "files_written": ticker.files_written,
            "exchanges": {
                source.exchange: {
                    "symbol": source.symbol,
                    "requests": source.counts.requests,
                    "candles": source.candles,
                    "revised": source.revised,
                    "rejected": source.counts.rejected,
                    "excluded": ticker.merged.excluded.get(source.exchange, 0),
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
