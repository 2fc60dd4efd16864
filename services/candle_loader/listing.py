"""What a data root holds."""

from __future__ import annotations

from dataclasses import dataclass

from candle_loader.gap import Gap
from candle_loader.manifest import Manifest, SeriesInfo


@dataclass(frozen=True)
class ListedSeries:
    """An exported series, as its manifest tells of it; none of its months is read.

    Attributes:
        series: what it is, and its scale.
        start_ms, end_ms: from the first to the last time that something is known of, half-open,
            UTC ms; both are the start of the first month where nothing is known.
        rows: how many candles it has.
        months, complete_months: how many months it has, and how many of them never change again.
        gaps: the time in between that nothing is known of, ascending.
    """

    series: SeriesInfo
    start_ms: int
    end_ms: int
    rows: int
    months: int
    complete_months: int
    gaps: tuple[Gap, ...]

    @property
    def is_complete(self) -> bool:
        """Whether there is no gap from its start to its end."""
        return not self.gaps

    @property
    def known_pct(self) -> float:
        """How much of the time from its start to its end is known, in percent."""
        span_ms = self.end_ms - self.start_ms
        unknown_ms = sum(gap.end_ms - gap.start_ms for gap in self.gaps)
        return 100 * (1 - unknown_ms / span_ms) if span_ms else 0.0

    def __str__(self) -> str:
        return str(self.series)


def listed(manifest: Manifest) -> ListedSeries | None:
    """What a manifest tells; None where it has no month."""
    if not manifest.months:
        return None
    start_ms, end_ms = manifest.start_ms, manifest.known_end_ms
    gaps = list(manifest.gaps_within(start_ms, end_ms))
    while gaps and gaps[-1].end_ms == end_ms:
        end_ms = gaps.pop().start_ms
    while gaps and gaps[0].start_ms == start_ms:
        start_ms = gaps.pop(0).end_ms
    return ListedSeries(
        series=manifest.series,
        start_ms=start_ms,
        end_ms=end_ms,
        rows=sum(month.rows for month in manifest.months),
        months=len(manifest.months),
        complete_months=sum(month.is_complete for month in manifest.months),
        gaps=tuple(gaps),
    )
