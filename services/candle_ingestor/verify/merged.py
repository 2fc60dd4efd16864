"""Whether rows are what their record's rules make of the stored rows of their sources (rule M9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.merge.weighting import MergedCandles
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.intervals import EMPTY, END_OF_TIME_MS, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.settle.deriving import can_be_made, derive_tasks, derived_by
from candle_ingestor.settle.merging import made_by, mergeable, pieces
from candle_ingestor.verify.comparing import candle_differences
from candle_ingestor.verify.findings import Check, Difference, Kind


@dataclass(frozen=True)
class MergedPiece:
    """Minutes that one basis made, and what differs in them.

    Attributes:
        basis: None of a derived series, and of time outside coverage, where nothing is to be
            stored.
        right: what is to be stored in the piece, and covered.
        partial: of a derived series, what of the piece is made of a part of its time.
        candles: how many candle lengths it has.
    """

    series: Series
    span: IntervalSet
    basis: MergeBasis | None
    right: MergedCandles
    differences: list[Difference]
    partial: IntervalSet = EMPTY

    @property
    def is_known(self) -> bool:
        """Whether the piece is of what is covered."""
        return self.basis is not None or bool(self.right.covered)

    @property
    def candles(self) -> int:
        return self.span.duration_ms // self.series.timeframe.duration_ms


def made_pieces(ledger: Ledger, series: Series, within: IntervalSet) -> Iterator[MergedPiece]:
    """The known candle lengths of a merged or derived series, made again and compared."""
    if ledger.record(series).derivation is None:
        return merged_pieces(ledger, series, within)
    return derived_pieces(ledger, series, on_grid(within, series.timeframe))


def derived_pieces(ledger: Ledger, series: Series, within: IntervalSet) -> Iterator[MergedPiece]:
    """The known candle lengths of a derived series, and the time outside, as `merged_pieces`."""
    record = ledger.record(series)
    can_be = can_be_made(ledger, series, END_OF_TIME_MS)
    for task in derive_tasks(ledger, series, record.covered & within, can_be):
        made = derived_by(ledger, series, task.can_be)
        right = MergedCandles(made.candles, made.answered, {}, 0)
        words = "called known, though too little of its time is"
        found = _differences(ledger, series, task.span, right, words)
        yield MergedPiece(series, task.span, None, right, found, made.partial)
    known = record.covered | can_be.all
    if known:
        hull = IntervalSet.of(known.start_ms, known.end_ms) & within
        yield from _outside(ledger, series, hull - known - record.stale)


def merged_pieces(ledger: Ledger, series: Series, within: IntervalSet) -> Iterator[MergedPiece]:
    """The known minutes of a merged series, made again and compared, piece by piece.

    Then the time outside coverage, but for what a run is about to make again or to remove.
    """
    record = ledger.record(series)
    merging = record.merging
    if merging is None:
        return
    to_be_made = EMPTY
    for basis, part in merging.parts(within):
        to_be_made = to_be_made | (mergeable(ledger, basis) & part)
        for piece in pieces(series.timeframe, part & record.covered):
            yield _made_again(ledger, series, basis, piece)
    known = record.covered | to_be_made
    if known:
        hull = IntervalSet.of(known.start_ms, known.end_ms) & within
        yield from _outside(ledger, series, hull - known - merging.stale)


def repaired_piece(piece: MergedPiece, minutes: IntervalSet) -> Replacement:
    """What makes these minutes of the piece right."""
    right = piece.right
    inside = [minutes.contains(time_ms) for time_ms in right.candles["open_time_ms"]]
    return Replacement(
        piece.series,
        minutes,
        right.candles.filter(inside),
        right.covered & minutes,
        basis=piece.basis,
        partial=piece.partial & minutes,
    )


def _made_again(
    ledger: Ledger, series: Series, basis: MergeBasis, span: IntervalSet
) -> MergedPiece:
    right = made_by(ledger, basis, series.timeframe, span)
    words = f"called known, though fewer than {basis.rules.min_exchanges} exchanges cover it"
    return MergedPiece(series, span, basis, right, _differences(ledger, series, span, right, words))


def _differences(
    ledger: Ledger, series: Series, span: IntervalSet, right: MergedCandles, unfounded_words: str
) -> list[Difference]:
    unfounded = span - right.covered
    found = [
        Difference(Check.MERGED, Kind.UNFOUNDED, series, interval, words=unfounded_words)
        for interval in unfounded
    ]
    stored = ledger.candles_in(series, span)
    found += [
        each
        for each in candle_differences(Check.MERGED, series, stored, right.candles)
        if each.interval is not None and not unfounded.contains(each.interval.start_ms)
    ]
    return found


def _outside(ledger: Ledger, series: Series, span: IntervalSet) -> Iterator[MergedPiece]:
    for piece in pieces(series.timeframe, span):
        nothing = no_candles(series)
        found = candle_differences(Check.MERGED, series, ledger.candles_in(series, piece), nothing)
        yield MergedPiece(series, piece, None, MergedCandles(nothing, EMPTY, {}, 0), found)
