"""A prune as JSON values; docs/prune.md describes every key. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candle_ingestor.model.times import iso_text, iso_text_if
from candle_ingestor.prune.plan import Loss, PrunePlan, SeriesCut

FORMAT_VERSION = 2


@dataclass(frozen=True)
class Pruned:
    """What a prune did.

    Attributes:
        candles: how many it removed.
        files_removed: those that are gone.
        files_written: those that were written anew with what is left.
        merged_candles: how many merged candles changed in what stays.
        stop_reason: why it ended early; None if it did not.
        errors: what could not be brought in line.
    """

    candles: int
    files_removed: Sequence[Path]
    files_written: Sequence[str]
    merged_candles: int = 0
    stop_reason: str | None = None
    errors: Sequence[str] = ()


def prune_json(
    plan: PrunePlan, store: str, now_ms: int, *, is_dry: bool, done: Pruned | None
) -> dict[str, Any]:
    """The plan, and what was done of it; `done` is None where nothing was."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "now": iso_text(now_ms),
        "run_mode": "dry" if is_dry else "wet",
        "status": _status(plan, done),
        "before": iso_text_if(plan.before_ms),
        "series": [_cut(cut) for cut in plan.cuts if not cut.is_empty],
        "staying": [
            {**series.fields, "merged_symbol": str(merged.symbol)}
            for series, merged in plan.serving
        ],
        "losses": [_loss(loss) for loss in plan.losses if loss.lost or loss.remade],
        "state_keys": list(plan.state_keys),
        "imported_files": [file.path for file in plan.imported_files],
        "other_targets": list(plan.other_targets),
        "other_folders": [str(path) for cut in plan.cuts for path, _ in cut.left],
        "done": None if done is None else _done(done),
    }


def _status(plan: PrunePlan, done: Pruned | None) -> str:
    if plan.is_empty:
        return "nothing"
    if done is None:
        return "planned"
    if done.errors:
        return "failed"
    return "stopped" if done.stop_reason else "done"


def _cut(cut: SeriesCut) -> dict[str, Any]:
    return {
        **cut.series.fields,
        "until": iso_text_if(cut.until_ms),
        "candles": cut.candles,
        "months": [str(month) for month in cut.months],
        "folders": [str(folder.path) for folder in cut.folders],
        "files": [str(path) for path in cut.files],
        "files_written_anew": [str(path) for path in cut.rewritten],
        "size_bytes": cut.size_bytes,
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        **loss.merged.fields,
        "lost": loss.lost,
        "merged_again": loss.remade,
        "complete_months": [str(month) for month in loss.frozen],
    }


def _done(done: Pruned) -> dict[str, Any]:
    return {
        "candles_removed": done.candles,
        "files_removed": [str(path) for path in done.files_removed],
        "files_written": list(done.files_written),
        "merged_candles": done.merged_candles,
        "stop_reason": done.stop_reason,
        "errors": list(done.errors),
    }
