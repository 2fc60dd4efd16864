"""What is known of a series, as a value. Times are minutes."""

from hypothesis import given
from hypothesis import strategies as st
from minutes import BITSTAMP, KRAKEN, ms, span, spans

from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series_record import Coverage, MergeBasis, Merging, SeriesRecord, Wanted

END = 40
SPANS = st.lists(st.tuples(st.integers(0, END), st.integers(0, END)), max_size=4).map(
    lambda pairs: spans(*pairs)
)
REASONS = st.dictionaries(st.sampled_from(list(GapReason)[:5]), SPANS, max_size=3)
WHOLE = span(0, END)


def basis(number: int) -> MergeBasis:
    return MergeBasis(MergeRules(("kraken", "bitstamp"), 1, float(number)), (KRAKEN, BITSTAMP))


BASES = st.integers(0, 3).map(basis)


@given(st.lists(st.tuples(st.sampled_from(Origin), SPANS), max_size=6))
def test_every_covered_minute_came_from_where_it_was_last_read(
    readings: list[tuple[Origin, IntervalSet]],
) -> None:
    coverage = Coverage()
    last: dict[int, Origin] = {}
    for origin, read in readings:
        coverage = coverage.replaced(read, read, origin=origin)
        last |= {minute: origin for minute in range(END) if read.contains(ms(minute))}

    found = {
        origin: [minute for minute in range(END) if intervals.contains(ms(minute))]
        for origin, intervals in {
            **coverage.origins,
            Origin.ENDPOINT: coverage.from_endpoint,
        }.items()
    }
    assert {minute: origin for origin, minutes in found.items() for minute in minutes} == last
    assert sum(map(len, found.values())) == len(last)


@given(SPANS, SPANS, REASONS, SPANS, SPANS, SPANS, REASONS)
def test_a_replaced_span_is_as_told_and_the_rest_as_before(
    covered: IntervalSet,
    provisional: IntervalSet,
    reasons: dict[GapReason, IntervalSet],
    replaced: IntervalSet,
    answered: IntervalSet,
    unsure: IntervalSet,
    newer: dict[GapReason, IntervalSet],
) -> None:
    before = Coverage(covered, covered & provisional).with_reasons(reasons)
    answered = answered & replaced
    unsure = unsure & answered

    after = before.replaced(replaced, answered, unsure).with_reasons(newer)

    assert after.covered & replaced == answered
    assert after.covered - replaced == covered - replaced
    assert after.provisional & replaced == unsure
    assert after.provisional - replaced == before.provisional - replaced
    explained = EMPTY
    for reason, intervals in after.reasons.items():
        assert intervals
        assert not intervals & after.covered
        assert not intervals & explained
        explained = explained | intervals
        assert not intervals - before.reasons.get(reason, EMPTY) - newer.get(reason, EMPTY)
    told = EMPTY
    for intervals in newer.values():
        told = told | intervals
    assert not (told - after.covered) - explained


@given(SPANS, SPANS, st.sampled_from(Origin), SPANS)
def test_what_the_candle_endpoint_answers_shows_that_nothing_later_is_beyond_its_reach(
    covered: IntervalSet, beyond: IntervalSet, origin: Origin, answered: IntervalSet
) -> None:
    before = Coverage(covered).with_reasons({GapReason.BEYOND_REACH: beyond})

    after = before.replaced(answered, answered, origin=origin)

    left = beyond - covered - answered
    if origin is Origin.ENDPOINT and answered:
        left = left & IntervalSet.of(0, answered.start_ms)
    assert after.reasons.get(GapReason.BEYOND_REACH, EMPTY) == left


@given(SPANS, REASONS, SPANS)
def test_a_gap_is_fillable_unless_it_is_known_to_be_final(
    covered: IntervalSet, reasons: dict[GapReason, IntervalSet], asked: IntervalSet
) -> None:
    coverage = Coverage(covered).with_reasons(reasons)

    final = coverage.reasons.get(GapReason.BEYOND_REACH, EMPTY) | coverage.reasons.get(
        GapReason.NOT_LISTED_YET, EMPTY
    )
    assert coverage.fillable(asked) == (asked - covered) - final


STEPS = st.lists(st.tuples(st.sampled_from(["adopt", "make"]), BASES, SPANS), max_size=8)


@given(STEPS)
def test_every_minute_is_made_by_exactly_one_basis_whatever_follows(
    steps: list[tuple[str, MergeBasis, IntervalSet]],
) -> None:
    merging = Merging(basis(0))
    made_by = dict.fromkeys(range(END), basis(0))
    for kind, chosen, minutes in steps:
        inside = {minute for minute in range(END) if minutes.contains(ms(minute))}
        if kind == "adopt" and chosen != merging.basis:
            # What is not covered, and was left to no former basis, goes over to the next one.
            formerly = merging.formerly_made
            for minute in range(END):
                is_left = formerly.contains(ms(minute)) or minute in inside
                if made_by[minute] == merging.basis and not is_left:
                    made_by[minute] = chosen
            merging = merging.adopting(chosen, minutes)
        elif kind == "make":
            for minute in inside:
                made_by[minute] = merging.basis
            merging = merging.made(merging.basis, minutes)

        parts = merging.parts(WHOLE)
        union = EMPTY
        for maker, intervals in parts:
            assert intervals
            assert not union & intervals
            union = union | intervals
            for minute in range(END):
                if intervals.contains(ms(minute)):
                    assert made_by[minute] == maker
        assert union == WHOLE
        assert all(former != merging.basis for former, _ in merging.former)


@given(SPANS, SPANS)
def test_what_a_former_basis_makes_again_stays_its_own(
    first: IntervalSet, again: IntervalSet
) -> None:
    merging = Merging(basis(0)).adopting(basis(1), first)

    assert merging.made(basis(0), again & first) == merging


def test_sources_are_those_of_every_basis_each_once() -> None:
    rules = basis(0).rules
    only = (MergeBasis(rules, (BITSTAMP,)), span(0, 5))
    record = SeriesRecord(merging=Merging(basis(1), (only,)))

    assert record.sources == (KRAKEN, BITSTAMP)
    assert SeriesRecord().sources == ()


LONG = st.lists(
    st.tuples(st.integers(-90_000, 90_000), st.integers(0, 50_000)).map(lambda p: (p[0], sum(p))),
    max_size=3,
).map(lambda pairs: spans(*pairs))
TARGETS = st.dictionaries(
    st.sampled_from(["/here", "/there"]),
    LONG.map(lambda known: {month: month.start_ms + 60_000 for month in months_of(known)}),
)


@given(TARGETS, LONG)
def test_every_known_target_hears_of_each_changed_month_and_of_its_first_change(
    backlog: dict[str, dict[Month, int]], changed: IntervalSet
) -> None:
    after = Exports(backlog, (2, 8)).with_changes(changed)

    assert after.digits == (2, 8)
    assert after.backlog.keys() == backlog.keys()
    for target, lacking in after.backlog.items():
        months = {*backlog[target], *months_of(changed)}
        assert lacking.keys() == months
        for month in months:
            inside = changed & IntervalSet((month.interval,))
            firsts = [inside.start_ms] if inside else []
            firsts += [backlog[target][month]] if month in backlog[target] else []
            assert lacking[month] == min(firsts)


def test_an_export_to_one_target_leaves_what_others_lack() -> None:
    month = Month.of(ms(0))
    exports = Exports({"/here": {month: ms(5)}, "/there": {month: ms(5)}}, (2, 8))

    after = exports.with_exported("/here", (2, 8), {})

    assert after.backlog == {"/here": {}, "/there": {month: ms(5)}}
    assert exports.with_exported("/new", (2, 8), {}).backlog.keys() == {"/here", "/there", "/new"}


def test_a_change_of_coverage_is_noted_with_it() -> None:
    record = SeriesRecord(exports=Exports({"/here": {}}, (2, 8)))

    after = record.with_change(Coverage(span(0, 5)), span(3, 5))

    assert after.covered == span(0, 5)
    assert after.exports.backlog == {"/here": {Month(2024, 3): ms(3)}}


def test_a_pruned_record_says_nothing_of_the_time_before() -> None:
    february = Month(2024, 2)
    months = {february: ms(-9), Month(2024, 3): ms(0)}
    record = SeriesRecord(
        Coverage(
            span(0, 10),
            span(9, 10),
            {GapReason.REJECTED: span(10, 11), GapReason.BEYOND_REACH: span(-5, 0)},
            {Origin.ARCHIVE: span(0, 3), Origin.TRADES: span(3, 5)},
        ),
        merging=Merging(basis(1), ((basis(2), span(0, 2)), (basis(2), span(3, 6))), span(1, 8)),
        exports=Exports({"root": months}, (2, 8)),
        wanted=Wanted(ms(0)),
    )

    pruned = record.pruned(ms(4))

    assert pruned.covered == span(4, 10)
    assert pruned.provisional == span(9, 10)
    assert pruned.coverage.reasons == {GapReason.REJECTED: span(10, 11)}
    assert pruned.coverage.origins == {Origin.TRADES: span(4, 5)}
    assert pruned.merging == Merging(basis(1), ((basis(2), span(4, 6)),), span(4, 8))
    assert pruned.exports.backlog == {"root": {Month(2024, 3): ms(0)}}
    assert record.pruned(ms(-1)).exports == record.exports
    assert pruned.wanted == Wanted(ms(4))
    assert pruned.pruned_until_ms == ms(4)
    assert pruned.pruned(ms(2)).pruned_until_ms == ms(4)
    assert pruned.fillable(span(0, 20)) == span(10, 20)
