"""One series of a run: what is wanted of it and how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from candle_ingestor.ingest.plan import SeriesPlan
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.sources.base import CandleSource, FurtherSource
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series


@dataclass(eq=False)
class SeriesWork:
    """One series of a run.

    Attributes:
        source: the exchange's candle endpoint.
        further: other sources of its candles, by kind.
        remaining: what may still be fetched and is not yet kept.
        failed: what was asked for in this run without a believable answer.
        errors: by words, the pieces that it left unanswered.
    """

    series: Series
    source: CandleSource
    plan: SeriesPlan
    report: SourceReport
    further: Mapping[Origin, FurtherSource] = field(default_factory=dict)
    remaining: IntervalSet = field(init=False)
    failed: IntervalSet = EMPTY
    errors: dict[str, IntervalSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.remaining = self.plan.to_fetch

    @property
    def routes(self) -> list[tuple[CandleSource, IntervalSet]]:
        """The sources, each with what is wanted of it; of the endpoint it may be nothing."""
        return [(self.source, self.plan.to_ask), *self.elsewhere]

    @property
    def elsewhere(self) -> list[tuple[FurtherSource, IntervalSet]]:
        """The further sources that are read, each with what is wanted of it."""
        planned = self.plan.elsewhere.items()
        return [(self.further[origin], intervals) for origin, intervals in planned if intervals]

    @property
    def has_caught_up(self) -> bool:
        return not self.remaining & self.plan.catch_up

    def settle(self, done: Interval, failed: IntervalSet) -> None:
        """Notes a piece that needs no further request, and what of it failed."""
        self.remaining = self.remaining - IntervalSet((done,))
        if failed:
            self.failed = self.failed | failed
            self.report.failed_pages += 1

    def note_error(self, piece: Interval, words: str) -> None:
        """Notes why a piece, or a part of it, was left unanswered."""
        self.errors[words] = self.errors.get(words, EMPTY) | IntervalSet((piece,))

    def candles_in(self, intervals: Iterable[Interval]) -> int:
        """How many candle lengths the intervals hold."""
        length_ms = self.series.timeframe.duration_ms
        return sum(interval.duration_ms for interval in intervals) // length_ms
