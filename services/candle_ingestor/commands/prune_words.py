"""What a prune would remove, in words."""

from __future__ import annotations

from collections.abc import Iterator

from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, some_of
from candle_ingestor.model.times import minute_text
from candle_ingestor.prune.plan import Loss, PrunePlan, SeriesCut


def plan_words(plan: PrunePlan) -> Iterator[str]:
    """A line a series, then what depends on it, then the sum."""
    for cut in plan.cuts:
        if not cut.is_empty:
            yield _cut_words(cut)
    for series, dependent in plan.serving:
        yield _serving_words(series, dependent)
    yield from filter(None, map(_loss_words, plan.losses))
    if plan.state_keys:
        yield f"State that goes: {some_of(plan.state_keys)}"
    if plan.imported_files:
        yield (
            f"Forgotten: the import of {counted(len(plan.imported_files), 'file')}, so that it can "
            "be done again"
        )
    if plan.other_targets:
        yield f"Left alone: what was exported to {some_of(plan.other_targets)}"
    if plan.is_empty:
        yield "There is nothing to remove."
        return
    yield _sum_words(plan)


def _loss_words(loss: Loss) -> str:
    words = []
    if loss.lost:
        why = "can no longer be merged, since too few exchanges are left"
        if loss.is_derived:
            why = "can no longer be put together, since finer candles go"
        words.append(f"{counted(loss.lost, 'candle length')} {why}")
    if loss.remade:
        words.append(f"{loss.remade:,} are merged again from the others")
    return f"{loss.merged}: {'; '.join(words)}" if words else ""


def _serving_words(series: Series, dependent: Series) -> str:
    if dependent.timeframe != series.timeframe:
        return f"{series} stays: {dependent} is put together from it. Remove that as well."
    return (
        f"{series} stays: {dependent.symbol} is merged from it. With --exchanges="
        f"{series.exchange} it goes all the same."
    )


def _sum_words(plan: PrunePlan) -> str:
    candles = sum(cut.candles for cut in plan.cuts)
    files = sum(len(cut.files) for cut in plan.cuts)
    size = sum(cut.size_bytes for cut in plan.cuts)
    gone = [cut for cut in plan.cuts if not cut.is_empty]
    return (
        f"In all {counted(candles, 'candle')} of {counted(len(gone), 'series', 'series')}, and "
        f"{counted(files, 'file')} ({_bytes(size)})"
    )


def _cut_words(cut: SeriesCut) -> str:
    said = f"{cut.series}: {counted(cut.candles, 'candle')} in {counted(len(cut.months), 'month')}"
    if cut.until_ms is None:
        said += ", all of it"
    else:
        said += f", all before {minute_text(cut.until_ms)}"
    if cut.files:
        said += f"; {counted(len(cut.files), 'file')} ({_bytes(cut.size_bytes)}) in {cut.folder}"
    return said


def _bytes(size: int) -> str:
    return f"{size:,} bytes" if size < 100_000 else f"{size / 1e6:,.1f} MB"
