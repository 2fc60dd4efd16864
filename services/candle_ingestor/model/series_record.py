"""What is known of one series, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.exports import NO_EXPORTS, Exports
from candle_ingestor.model.gap_notes import NO_NOTES, GapNotes
from candle_ingestor.model.gaps import FINAL_REASONS, GapReason, Reasons, with_reason, without
from candle_ingestor.model.intervals import EMPTY, END_OF_TIME_MS, Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.origins import Origin, Origins, with_origin
from candle_ingestor.model.series import Series


@dataclass(frozen=True)
class Coverage:
    """Which minutes are known, and why the others are not (rules C1, C2 and T2).

    Attributes:
        covered: asked for, answered, and the candles durably written. Inside, a minute without a
            candle had no trade.
        provisional: the part of `covered` that the next run asks for once more.
        reasons: reasons of intervals outside `covered`, where one is known.
        origins: where the parts of `covered` came from that the candle endpoint did not answer.
    """

    covered: IntervalSet = EMPTY
    provisional: IntervalSet = EMPTY
    reasons: Reasons = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)

    def replaced(
        self,
        span: IntervalSet,
        covered: IntervalSet,
        provisional: IntervalSet = EMPTY,
        origin: Origin = Origin.ENDPOINT,
    ) -> Coverage:
        """The coverage that is `covered` and `provisional` inside `span` and as before outside.

        What leaves `covered` has no reason until it is given one. `origin` is of `covered`: what
        the candle endpoint answered shows that nothing later is beyond its reach.
        """
        # Reasons lie outside what was covered before, so that only the news can contradict them.
        return Coverage(
            (self.covered - span) | covered,
            (self.provisional - span) | provisional,
            _not_contradicted(self.reasons, origin, covered),
            with_origin(self.origins, origin, span, covered),
        )

    @property
    def from_endpoint(self) -> IntervalSet:
        """The part of `covered` that the exchange's candle endpoint answered."""
        known = self.covered
        for intervals in self.origins.values():
            known = known - intervals
        return known

    def with_reasons(self, reasons: Reasons) -> Coverage:
        """The coverage with these as the newest words on what is outside `covered`."""
        changed = dict(self.reasons)
        for reason, intervals in reasons.items():
            changed = with_reason(changed, reason, intervals - self.covered)
        return replace(self, reasons=changed)

    def within(self, kept: IntervalSet) -> Coverage:
        """The coverage with no word on what is outside `kept`."""
        return Coverage(
            self.covered & kept,
            self.provisional & kept,
            {reason: found & kept for reason, found in self.reasons.items() if found & kept},
            {origin: found & kept for origin, found in self.origins.items() if found & kept},
        )

    def fillable(self, span: IntervalSet) -> IntervalSet:
        """The part of `span` that is a gap which a later run could fill (rule E3)."""
        missing = span - self.covered
        for reason in FINAL_REASONS:
            missing = missing - self.reasons.get(reason, EMPTY)
        return missing


def _not_contradicted(
    reasons: Reasons, origin: Origin, covered: IntervalSet
) -> dict[GapReason, IntervalSet]:
    left = without(reasons, covered)
    beyond = left.pop(GapReason.BEYOND_REACH, EMPTY)
    if covered and origin is Origin.ENDPOINT:
        beyond = beyond & IntervalSet.of(0, covered.start_ms)
    return {**left, GapReason.BEYOND_REACH: beyond} if beyond else left


@dataclass(frozen=True)
class Listing:
    """When a market's history begins, as far as that was looked for.

    Attributes:
        first_day_ms: start of the UTC day of the first candle of the market's whole history.
        silent_until_ms: where no first candle was found, the time up to which there is none.
        listed_by_ms: where the first candle cannot be sought, a time before which there was one.
        is_delisted: whether the exchange no longer lists the market.
    """

    first_day_ms: int | None = None
    silent_until_ms: int | None = None
    listed_by_ms: int | None = None
    is_delisted: bool = False


@dataclass(frozen=True)
class Precision:
    """How many decimals the market's own prices and volumes have; None where it does not say."""

    price_digits: int | None = None
    volume_digits: int | None = None


@dataclass(frozen=True)
class MergeBasis:
    """What a merged candle is made by: the rules, and the series that go in, in flag order."""

    rules: MergeRules
    sources: tuple[Series, ...]


@dataclass(frozen=True)
class Merging:
    """What a merged series is made by (rule M10).

    Attributes:
        basis: what new minutes are made by.
        former: earlier bases, each with the minutes that are left as it made them. These intervals
            are disjoint, and never empty.
        stale: minutes of which a candle may be stored that is no longer what the sources make of
            them; none of it is covered.
    """

    basis: MergeBasis
    former: tuple[tuple[MergeBasis, IntervalSet], ...] = ()
    stale: IntervalSet = EMPTY

    @property
    def formerly_made(self) -> IntervalSet:
        """The minutes that earlier bases made."""
        made = EMPTY
        for _, intervals in self.former:
            made = made | intervals
        return made

    def made(self, basis: MergeBasis, span: IntervalSet) -> Merging:
        """The merging after `basis`, the present one or a former, made the minutes of `span`."""
        if not self.former:
            return self
        former = [
            (each, intervals if each == basis else intervals - span)
            for each, intervals in self.former
        ]
        return replace(self, former=tuple(pair for pair in former if pair[1]))

    def adopting(self, basis: MergeBasis, covered: IntervalSet) -> Merging:
        """The merging by `basis` from here on; what is `covered` is left as it was made."""
        former = dict(self.former)
        mine = covered - self.formerly_made
        former[self.basis] = former.get(self.basis, EMPTY) | mine
        former.pop(basis, None)
        return Merging(basis, tuple(pair for pair in former.items() if pair[1]), self.stale)

    def with_stale(self, span: IntervalSet) -> Merging:
        """The merging after what made the minutes of `span` has changed."""
        return replace(self, stale=self.stale | span)

    def without_stale(self, span: IntervalSet) -> Merging:
        """The merging after all that was stored in `span` was replaced."""
        return replace(self, stale=self.stale - span) if self.stale else self

    def within(self, kept: IntervalSet) -> Merging:
        """The merging with no word on what is outside `kept`."""
        former = ((basis, made & kept) for basis, made in self.former)
        return Merging(
            self.basis, tuple((basis, made) for basis, made in former if made), self.stale & kept
        )

    def parts(self, span: IntervalSet) -> list[tuple[MergeBasis, IntervalSet]]:
        """`span` by what makes its minutes; empty parts are left out."""
        parts = [(basis, intervals & span) for basis, intervals in self.former]
        parts.append((self.basis, span - self.formerly_made))
        return [(basis, intervals) for basis, intervals in parts if intervals]


@dataclass(frozen=True)
class Wanted:
    """What a run wanted of a series: from `from_ms` on, up to the present where no end is given."""

    from_ms: int
    until_ms: int | None = None

    def interval(self, closed_end_ms: int) -> Interval:
        """What is wanted when the newest closed candle ends at `closed_end_ms`; empty before."""
        end_ms = closed_end_ms if self.until_ms is None else min(self.until_ms, closed_end_ms)
        return Interval(self.from_ms, max(end_ms, self.from_ms))


@dataclass(frozen=True)
class SeriesRecord:
    """What is known of one series, and what follows from it for those who use it.

    Attributes:
        catch_up_from_ms: where the first catch-up began; None before that.
        precision: the market's own, learnt once; None for a merged series and before that.
        merging: what a merged series is made by; None for any other.
        derivation: what a coarser timeframe is made by; None for any other.
        wanted: what the last run wanted of it; None before the first.
        pruned_until_ms: before this time the user removed what was known, and no run wants it
            again unless it is told to read it again; None where nothing was removed.
        tier: the class of the symbol that its list names, as the last run heard it; None where no
            list named one.
        counts: the candles that are stored where it is `countable`.
        gap_notes: since when its gaps are known, how often they were asked for, and which ones
            were filled.
    """

    coverage: Coverage = Coverage()
    listing: Listing = Listing()
    catch_up_from_ms: int | None = None
    precision: Precision | None = None
    merging: Merging | None = None
    derivation: Derivation | None = None
    exports: Exports = NO_EXPORTS
    wanted: Wanted | None = None
    pruned_until_ms: int | None = None
    tier: int | str | None = None
    counts: CandleCounts = field(default_factory=CandleCounts)
    gap_notes: GapNotes = NO_NOTES

    @property
    def covered(self) -> IntervalSet:
        return self.coverage.covered

    @property
    def provisional(self) -> IntervalSet:
        return self.coverage.provisional

    @property
    def stale(self) -> IntervalSet:
        """Where candles may be stored that are no longer what the sources make of them."""
        made_by = self.merging or self.derivation
        return EMPTY if made_by is None else made_by.stale

    @property
    def countable(self) -> IntervalSet:
        """Where stored candles belong to the series: what is covered, and what is stale."""
        return self.covered | self.stale if self.stale else self.covered

    @property
    def sources(self) -> tuple[Series, ...]:
        """Every series that this one is made from, each once; none for what is fetched."""
        if self.derivation is not None:
            return (self.derivation.source,)
        return self.merged_from

    @property
    def merged_from(self) -> tuple[Series, ...]:
        """Every series that this one is merged from, each once."""
        if self.merging is None:
            return ()
        bases = (self.merging.basis, *(basis for basis, _ in self.merging.former))
        return tuple(dict.fromkeys(source for basis in bases for source in basis.sources))

    def fillable(self, span: IntervalSet) -> IntervalSet:
        """The part of `span` that is a gap which a later run could fill (rule E3)."""
        return self.coverage.fillable(span) - IntervalSet.of(0, self.pruned_until_ms or 0)

    def with_change(self, coverage: Coverage, changed: IntervalSet) -> SeriesRecord:
        """The record with another coverage, and what changed noted for every export."""
        return replace(self, coverage=coverage, exports=self.exports.with_changes(changed))

    def unwanted_before(self, until_ms: int) -> SeriesRecord:
        """The record of a series of which no run wants what lies before `until_ms`."""
        wanted = self.wanted
        if wanted is not None:
            wanted = replace(wanted, from_ms=max(wanted.from_ms, until_ms))
        until_ms = max(until_ms, self.pruned_until_ms or 0)
        return replace(self, wanted=wanted, pruned_until_ms=until_ms)

    def pruned(self, until_ms: int) -> SeriesRecord:
        """The record of a series whose candles before `until_ms` were removed.

        Nothing before is covered then. Other exports keep the months that they have of it.
        """
        kept = IntervalSet.of(until_ms, END_OF_TIME_MS)
        return replace(
            self.unwanted_before(until_ms),
            coverage=self.coverage.within(kept),
            merging=None if self.merging is None else self.merging.within(kept),
            derivation=None if self.derivation is None else self.derivation.within(kept),
            exports=self.exports.without_before(until_ms),
            counts=self.counts.without_before(until_ms),
        )

    def withdrawn(self, span: IntervalSet) -> SeriesRecord:
        """The record without `span`, whose stored candles are true no longer."""
        record = self.with_change(self.coverage.replaced(span, EMPTY), span)
        if record.merging is not None:
            record = replace(record, merging=record.merging.with_stale(span))
        if record.derivation is not None:
            record = replace(record, derivation=record.derivation.with_stale(span))
        return record


NOTHING_KNOWN = SeriesRecord()
