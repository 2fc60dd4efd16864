"""The reasons that one sweep finds are those that the sets themselves tell."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.gaps import Gap, GapReason, explain
from candle_ingestor.model.intervals import EMPTY, IntervalSet, covered_at_least
from candle_ingestor.model.series_record import Coverage, Listing, SeriesRecord
from candle_ingestor.settle.unmerged import unmerged

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda p: (p[0], sum(p))), max_size=5
).map(IntervalSet)


@st.composite
def records(draw: st.DrawFn) -> SeriesRecord:
    reasons = draw(st.dictionaries(st.sampled_from(list(GapReason)[:5]), SPANS, max_size=5))
    return SeriesRecord(
        Coverage(draw(SPANS), reasons=reasons),
        listing=Listing(is_delisted=draw(st.booleans())),
        pruned_until_ms=draw(st.none() | st.integers(1, 70)),
    )


@given(st.lists(records(), max_size=4), st.integers(1, 4), SPANS)
def test_reasons_follow_from_what_sources_cover_and_may_yet_cover(
    sources: list[SeriesRecord], minimum: int, missing: IntervalSet
) -> None:
    assert unmerged(sources, minimum, missing) == by_sets(sources, minimum, missing)


def test_reasons_of_few_minutes_follow_from_sources_that_are_torn_into_many() -> None:
    random = Random(1)
    for _ in range(50):
        sources = [torn(random) for _ in range(3)]
        starts = [random.randrange(4_000) for _ in range(random.randint(1, 4))]
        missing = IntervalSet((start, start + random.randint(1, 30)) for start in starts)
        assert unmerged(sources, 2, missing) == by_sets(sources, 2, missing)


def torn(random: Random) -> SeriesRecord:
    kinds = list(GapReason)[:5]
    parts: dict[GapReason | None, list[tuple[int, int]]] = {}
    for start in range(0, 4_000, 10):
        part = (start, start + random.randint(1, 10))
        parts.setdefault(random.choice([None, *kinds]), []).append(part)
    covered = IntervalSet(parts.pop(None, []))
    reasons = {reason: IntervalSet(each) for reason, each in parts.items() if reason}
    return SeriesRecord(Coverage(covered, reasons=reasons))


def by_sets(sources: list[SeriesRecord], minimum: int, missing: IntervalSet) -> list[Gap]:
    """The definition, in words of sets: what must come for the minimum, from the likeliest on."""
    reasons: dict[GapReason, IntervalSet] = {}
    unexplained = missing
    at_best = [
        each.covered
        if each.listing.is_delisted
        else (each.covered & missing) | each.fillable(missing)
        for each in sources
    ]
    failed, rejected, unlisted, beyond = (
        [each.coverage.reasons.get(reason, EMPTY) for each in sources]
        for reason in (
            *(GapReason.FETCH_FAILED, GapReason.REJECTED),
            *(GapReason.NOT_LISTED_YET, GapReason.BEYOND_REACH),
        )
    )
    known = [each.covered for each in sources]
    unless_rejected = [(b - r) | k for b, r, k in zip(at_best, rejected, known, strict=True)]
    unless_failed = [(b - f) | k for b, f, k in zip(unless_rejected, failed, known, strict=True)]
    everyone = max(len(sources), 1)
    for reason, may_come, least in (
        (GapReason.NOT_FETCHED, unless_failed, minimum),
        (GapReason.FETCH_FAILED, unless_rejected, minimum),
        (GapReason.REJECTED, at_best, minimum),
        (GapReason.NOT_LISTED_YET, unlisted, everyone),
        (
            GapReason.NOT_FETCHED,
            [IntervalSet.of(0, each.pruned_until_ms or 0) - each.covered for each in sources],
            everyone,
        ),
        (
            GapReason.BEYOND_REACH,
            [u | b for u, b in zip(unlisted, beyond, strict=True)],
            everyone,
        ),
    ):
        found = unexplained & covered_at_least(may_come, least)
        reasons[reason] = reasons.get(reason, EMPTY) | found
        unexplained = unexplained - found
    reasons[GapReason.BELOW_MINIMUM] = unexplained
    return explain(missing, reasons)
