"""What a prune would remove, in words."""

from __future__ import annotations

from collections.abc import Iterator

from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, some_of
from candle_ingestor.model.times import minute_text
from candle_ingestor.prune.plan import Loss, PrunePlan, SeriesCut
from candle_ingestor.prune.report_json import Pruned


def plan_words(plan: PrunePlan) -> Iterator[str]:
    """A line a series, then what depends on it, then the sum; first of all if there is nothing."""
    if plan.is_empty:
        yield "There is nothing to remove."
    for cut in plan.cuts:
        if not cut.is_empty:
            yield _cut_words(cut)
    for series, dependent in plan.serving:
        yield _serving_words(series, dependent)
    for loss in plan.losses:
        yield from _loss_words(loss)
    if plan.state_keys:
        yield f"State that goes: {some_of(plan.state_keys)}"
    if plan.imported_files:
        yield (
            f"Forgotten: the import of {counted(len(plan.imported_files), 'file')}, so that it can "
            "be done again"
        )
    if plan.other_targets:
        yield f"Left alone: what was exported to {some_of(plan.other_targets)}"
    if not plan.is_empty:
        yield _sum_words(plan)


def done_words(done: Pruned) -> Iterator[str]:
    """What was removed and written, and how it goes on where it was stopped."""
    removed = (
        f"Removed {counted(done.candles, 'candle')} and {counted(len(done.files_removed), 'file')}"
    )
    if done.files_written:
        removed += f", wrote {counted(len(done.files_written), 'file')} anew"
    if done.merged_candles:
        removed += f"; {counted(done.merged_candles, 'merged candle')} changed in what stays"
    if done.stop_reason is None:
        yield f"{removed}."
    else:
        yield f"Stopped by {done.stop_reason}. {removed} so far. The same command goes on."


def _loss_words(loss: Loss) -> Iterator[str]:
    words = []
    if loss.lost:
        why = "can no longer be merged, since too few exchanges are left"
        if loss.is_derived:
            why = "can no longer be put together, since finer candles go"
        words.append(f"{counted(loss.lost, 'candle length')} {why}")
    if loss.remade:
        words.append(f"{loss.remade:,} are merged again from the others")
    if words:
        yield f"{loss.merged}: {'; '.join(words)}"
    if loss.frozen:
        months = counted(len(loss.frozen), "month")
        verb = "is" if len(loss.frozen) == 1 else "are"
        yield (
            f"{loss.merged}: {months} of its export {verb} complete and {verb} left as exported: "
            f"{some_of(loss.frozen)}. verify will say that the store has other rows. With "
            "--restate they follow the store; to remove the symbol whole, leave out --exchanges."
        )


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
    rewritten = sum(len(cut.rewritten) for cut in plan.cuts)
    return (
        f"In all {counted(candles, 'candle')} of {counted(len(gone), 'series', 'series')}, and "
        f"{_files_words(files, size, rewritten)}"
    )


def _cut_words(cut: SeriesCut) -> str:
    said = f"{cut.series}: {counted(cut.candles, 'candle')} in {counted(len(cut.months), 'month')}"
    if cut.until_ms is None:
        said += ", all of it"
    else:
        said += f", all before {minute_text(cut.until_ms)}"
    if cut.files:
        files = _files_words(len(cut.files), cut.size_bytes, len(cut.rewritten))
        said += f"; {files} in {' and '.join(str(folder.path) for folder in cut.folders)}"
    return said


def _files_words(files: int, size_bytes: int, rewritten: int) -> str:
    said = f"{counted(files, 'file')} ({_bytes(size_bytes)}"
    return said + (f"; {rewritten:,} written anew)" if rewritten else ")")


def _bytes(size: int) -> str:
    return f"{size:,} bytes" if size < 100_000 else f"{size / 1e6:,.1f} MB"
