"""The run report as JSON values; docs/run_report.md describes every field. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from candle_ingestor.archives.publications import Publication, publications_of
from candle_ingestor.exchanges.price_only import price_only_of
from candle_ingestor.ingest.report import (
    RunReport,
    SourceReport,
    TickerReport,
)
from candle_ingestor.merge.deviations import Disagreement, Exclusion
from candle_ingestor.model.gaps import Gap, GapReason, candles_by_reason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.settle.outcome import Told

MOST_GAPS_LISTED = 100


def report_json(report: RunReport) -> dict[str, Any]:
    """The report as JSON values; times as ISO text and in ms, gaps with their reasons."""
    known, wanted = report.known_and_wanted
    return {
        "run_id": report.run_id,
        "service_identifier": report.service_identifier,
        "command": "ingest",
        "status": report.status.value,
        "started": iso_text(report.started_ms),
        "started_ms": report.started_ms,
        "finished_ms": report.finished_ms,
        "seconds": (report.finished_ms - report.started_ms) / 1000,
        "stop_reason": report.stop_reason,
        "error": report.error,
        "exchanges": list(report.exchanges),
        "price_only_exchanges": list(price_only_of(report.exchanges)),
        "min_exchanges_required": report.min_exchanges,
        "max_price_deviation_pct": report.max_price_deviation_pct,
        "timeframe": report.timeframe,
        "symbols": list(report.symbols),
        "symbols_wanted": report.symbols_wanted,
        "symbols_complete": len(report.complete_tickers),
        "known_candles": known,
        "wanted_candles": wanted,
        "unavailable_exchanges": report.unavailable_exchanges,
        "exchange_troubles": {
            exchange: {"error": trouble.error, "failed_pages": trouble.failed_pages}
            for exchange, trouble in report.troubles.items()
        },
        "exchange_totals": {exchange: _totals(report, exchange) for exchange in report.exchanges},
        "dropped_symbols": {symbol: list(lacking) for symbol, lacking in report.dropped.items()},
        "rejected_symbols": report.rejected_symbols,
        "downloads": [_download(each) for each in report.downloads],
        "tickers": [_ticker(report, ticker) for ticker in report.tickers],
    }


def running_json(report: RunReport) -> dict[str, Any]:
    """The report of a run that begins; what `report_json` says at its end takes its place."""
    return {**report_json(report), "status": "running", "seconds": 0.0}


def _download(publication: Publication) -> dict[str, Any]:
    missing = publication.missing
    return {
        "exchange": publication.series.exchange,
        "symbol": str(publication.series.symbol),
        "timeframe": str(publication.series.timeframe),
        "file": publication.file,
        "archive": publication.archive or None,
        "page": publication.page,
        "start": iso_text(missing.start_ms),
        "end": iso_text(missing.end_ms),
        "candles": publication.candles,
        "published_from": iso_text(publication.published_from_ms),
    }


def _totals(report: RunReport, exchange: str) -> dict[str, Any]:
    totals = asdict(report.totals_of(exchange))
    return totals | {"seconds": round(totals["seconds"], 3)}


def _ticker(report: RunReport, ticker: TickerReport) -> dict[str, Any]:
    outcome = ticker.outcome
    disagreements = outcome.merged.disagreements_told
    return {
        "symbol": ticker.symbol,
        "status": "failed" if outcome.errors else "ok",
        "complete": report.is_complete(ticker),
        "errors": outcome.errors,
        "stand_ins": dict(ticker.stand_ins),
        "rule_changes": outcome.rule_changes,
        "merged_candles": outcome.merged.candles,
        "covered_candles": outcome.covered_candles,
        "wanted_candles": outcome.wanted_candles,
        "disagreements": outcome.merged.disagreements,
        "disagreement_minutes": [_disagreement(each) for each in disagreements.first],
        "worst_disagreement": disagreements.worst and _disagreement(disagreements.worst),
        **_gaps(outcome.gaps, report.duration_ms),
        "exported": outcome.is_exported,
        "files_written": outcome.files_written,
        "exchanges": {
            source.exchange: _source(report, ticker, source) for source in ticker.sources
        },
    }


def _source(report: RunReport, ticker: TickerReport, source: SourceReport) -> dict[str, Any]:
    merged = ticker.outcome.merged
    exclusions = merged.exclusions_told.get(source.exchange, Told())
    return {
        "symbol": str(source.series.symbol),
        "wanted_candles": source.wanted_candles,
        "requests": source.counts.requests,
        "candles": source.candles,
        "revised": source.revised,
        "rejected": source.counts.rejected,
        "excluded": merged.excluded.get(source.exchange, 0),
        "excluded_minutes": [_exclusion(each) for each in exclusions.first],
        "worst_excluded": exclusions.worst and _exclusion(exclusions.worst),
        "retries": source.counts.retries,
        "failed_pages": source.failed_pages,
        "seconds": round(source.counts.seconds, 3),
        **_gaps(source.gaps, report.duration_ms, source.series),
    }


def _exclusion(exclusion: Exclusion) -> dict[str, Any]:
    return {
        "time": iso_text(exclusion.open_time_ms),
        "price": exclusion.price,
        "off_median_pct": round(exclusion.off_median_pct, 4),
    }


def _disagreement(disagreement: Disagreement) -> dict[str, Any]:
    return {
        "time": iso_text(disagreement.open_time_ms),
        "price": disagreement.price,
        "highest": disagreement.highest,
        "lowest": disagreement.lowest,
        "above_pct": round(disagreement.above_pct, 4),
    }


def _gaps(gaps: list[Gap], duration_ms: int, source: Series | None = None) -> dict[str, Any]:
    by_reason = candles_by_reason(gaps, duration_ms)
    return {
        "gap_candles": {reason.value: candles for reason, candles in by_reason.items()},
        "gaps": [
            {
                "start": iso_text(gap.interval.start_ms),
                "end": iso_text(gap.interval.end_ms),
                "reason": gap.reason.value,
                **_remedy(gap, source),
            }
            for gap in gaps[:MOST_GAPS_LISTED]
        ],
        "gaps_not_listed": max(0, len(gaps) - MOST_GAPS_LISTED),
    }


def _remedy(gap: Gap, source: Series | None) -> dict[str, list[str]]:
    if source is None or gap.reason is not GapReason.BEYOND_REACH:
        return {}
    return {"files": [each.words for each in publications_of(source, IntervalSet((gap.interval,)))]}
