"""Whether merged rows are what their record's rules make of the stored exchange rows (rule M9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.merge.weighting import MergedCandles
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.settle.merging import made_by, mergeable, pieces
from candle_ingestor.verify.comparing import candle_differences
from candle_ingestor.verify.findings import Check, Difference, Kind


@dataclass(frozen=True)
class MergedPiece:
    """Minutes that one basis made, and what differs in them.

    Attributes:
        basis: None of time outside coverage, where nothing is to be stored.
        right: what is to be stored in the piece, and covered.
        candles: how many candle lengths it has.
    """

    series: Series
    span: IntervalSet
    basis: MergeBasis | None
    right: MergedCandles
    differences: list[Difference]

    @property
    def candles(self) -> int:
        return self.span.duration_ms // self.series.timeframe.duration_ms


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
        for piece in pieces(series.timeframe, hull - known - merging.stale):
            stored = ledger.candles_in(series, piece)
            nothing = no_candles(series)
            found = candle_differences(Check.MERGED, series, stored, nothing)
            yield MergedPiece(series, piece, None, MergedCandles(nothing, EMPTY, {}, 0), found)


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
    )


def _made_again(
    ledger: Ledger, series: Series, basis: MergeBasis, span: IntervalSet
) -> MergedPiece:
    right = made_by(ledger, basis, series.timeframe, span)
    stored = ledger.candles_in(series, span)
    unfounded = span - right.covered
    found = [
        Difference(
            Check.MERGED,
            Kind.UNFOUNDED,
            series,
            interval,
            words=f"called known, though fewer than {basis.rules.min_exchanges} exchanges cover it",
        )
        for interval in unfounded
    ]
    found += [
        each
        for each in candle_differences(Check.MERGED, series, stored, right.candles)
        if each.interval is not None and not unfounded.contains(each.interval.start_ms)
    ]
    return MergedPiece(series, span, basis, right, found)
