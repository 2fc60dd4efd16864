import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.record_json import decode_record, encode_record

BITCOIN = Symbol("BTC", "USD")
HOURLY = Timeframe(60)
KRAKEN = Series("kraken", BITCOIN, HOURLY)
MERGED = Series.merged(BITCOIN, HOURLY)
RULES = MergeRules(("kraken", "binance"), 2, 5.5, HighLow.EXTREMES, (("USD", "USDT"),))
BASIS = MergeBasis(RULES, (KRAKEN, Series("binance", Symbol("BTC", "USDT"), HOURLY)))
FULL = SeriesRecord(
    coverage=Coverage(
        IntervalSet([(0, 60), (120, 180)]),
        IntervalSet.of(120, 180),
        {GapReason.REJECTED: IntervalSet.of(60, 120)},
        {Origin.ARCHIVE: IntervalSet.of(0, 60)},
    ),
    listing=Listing(86_400_000, None, 43_200_000, True),
    catch_up_from_ms=60,
    precision=Precision(2, None),
    merging=Merging(
        BASIS, ((MergeBasis(RULES, (KRAKEN,)), IntervalSet.of(0, 60)),), IntervalSet.of(180, 240)
    ),
    wanted=Wanted(0, 240),
    pruned_until_ms=120,
    tier="TIER1",
    exports=Exports(
        {"csv:/data": {Month(2023, 3): 60, Month(2023, 4): 180}, "parquet": {}}, (2, 8)
    ),
    counts=CandleCounts({Month(1970, 1): 2}, frozenset({Month(1970, 2)})),
    gap_notes=GapNotes(
        (GapNote(IntervalSet.of(60, 120), GapReason.REJECTED, 500, 2, "no close"),),
        (GapNote(IntervalSet([(0, 30), (40, 60)]), GapReason.NOT_FETCHED, 400, filled_ms=500),),
    ),
)

DERIVED = SeriesRecord(
    coverage=Coverage(IntervalSet.of(0, 120)),
    derivation=Derivation(KRAKEN, 90.0, IntervalSet.of(0, 60), IntervalSet.of(120, 180)),
)

MALFORMED_INTERVALS: list[Any] = [
    None,
    {},
    "[[0, 1]]",
    [0, 1],
    [[0]],
    [[0, 1, 2]],
    [[0, 1], None],
    [[1, 1]],
    [[2, 1]],
    [["0", "1"]],
    [[0, 1.5]],
    [[False, True]],
    [[0, 2], [1, 3]],
]

times = st.integers(-(2**62), 2**62)
interval_sets = st.lists(
    st.tuples(times, st.integers(1, 2**40)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=20,
).map(IntervalSet)
symbols = st.builds(
    Symbol, st.sampled_from(["BTC", "1INCH"]), st.sampled_from(["USD", "USDT", "EUR"])
)
series = st.builds(Series, st.text(min_size=1), symbols, st.just(HOURLY))
rules = st.builds(
    MergeRules,
    st.just(("kraken", "binance", "bitstamp")),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.1, 5.0, 1e6]),
    st.sampled_from(HighLow),
    st.sampled_from([(), (("USD", "USDT"), ("EUR", "EURT"))]),
)
bases = st.builds(MergeBasis, rules, st.lists(series, max_size=3).map(tuple))
former_bases = st.lists(
    st.tuples(bases, st.integers(0, 9)), max_size=3, unique_by=lambda pair: pair[1]
).map(lambda pairs: tuple((basis, IntervalSet.of(60 * n, 60 * n + 60)) for basis, n in pairs))
notes = st.builds(
    GapNote,
    interval_sets.filter(bool),
    st.sampled_from(GapReason),
    times,
    st.integers(0, 9),
    st.none() | st.text(min_size=1),
)
filled_notes = st.builds(lambda note, at_ms: replace(note, filled_ms=at_ms), notes, times)
gap_notes = st.builds(
    GapNotes,
    st.lists(notes, max_size=3).map(tuple),
    st.lists(filled_notes, max_size=3).map(tuple),
)
months = st.builds(Month, st.integers(1970, 2100), st.integers(1, 12))
records = st.builds(
    SeriesRecord,
    coverage=st.builds(
        Coverage,
        interval_sets,
        interval_sets,
        st.dictionaries(st.sampled_from(GapReason), interval_sets),
        st.dictionaries(st.sampled_from(Origin), interval_sets),
    ),
    listing=st.builds(
        Listing, st.none() | times, st.none() | times, st.none() | times, st.booleans()
    ),
    catch_up_from_ms=st.none() | times,
    precision=st.none()
    | st.builds(Precision, st.none() | st.integers(0, 18), st.none() | st.integers(0, 18)),
    merging=st.none() | st.builds(Merging, bases, former_bases),
    exports=st.builds(
        Exports,
        st.dictionaries(st.text(), st.dictionaries(months, times, max_size=3), max_size=3),
        st.none() | st.tuples(st.integers(0, 18), st.integers(0, 18)),
    ),
    pruned_until_ms=st.none() | times,
    tier=st.none() | st.integers() | st.text(),
    counts=st.builds(
        CandleCounts,
        st.dictionaries(months, st.integers(1, 10**6), max_size=3),
        st.frozensets(months, max_size=3),
    ),
    gap_notes=gap_notes,
)


def fields_of(record: SeriesRecord) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(encode_record(record))
    return fields


def decoded(fields: object, series: Series = MERGED) -> SeriesRecord:
    return decode_record(json.dumps(fields), series)


def with_value(place: str, value: object) -> dict[str, Any]:
    """The fields of a full record with another value at a place such as `listing.first_day_ms`."""
    fields = fields_of(FULL)
    *path, name = place.split(".")
    inner: Any = fields
    for key in path:
        inner = inner[int(key) if key.isdecimal() else key]
    inner[name] = value
    return fields


@given(records)
def test_any_record_survives(record: SeriesRecord) -> None:
    assert decode_record(encode_record(record), MERGED) == record


def test_a_record_is_nested_by_subject() -> None:
    rules_fields = RULES.to_json()

    assert fields_of(FULL) == {
        "format_version": 2,
        "coverage": {
            "covered": [[0, 60], [120, 180]],
            "provisional": [[120, 180]],
            "reasons": {"rejected": [[60, 120]]},
            "origins": {"archive": [[0, 60]]},
        },
        "listing": {
            "first_day_ms": 86_400_000,
            "silent_until_ms": None,
            "listed_by_ms": 43_200_000,
            "is_delisted": True,
        },
        "catch_up_from_ms": 60,
        "precision": {"price_digits": 2, "volume_digits": None},
        "merging": {
            "rules": rules_fields,
            "sources": [["kraken", "BTC/USD", "1h"], ["binance", "BTC/USDT", "1h"]],
            "former": [
                {"rules": rules_fields, "sources": [["kraken", "BTC/USD", "1h"]], "made": [[0, 60]]}
            ],
            "stale": [[180, 240]],
        },
        "exports": {
            "backlog": {"csv:/data": {"2023-03": 60, "2023-04": 180}, "parquet": {}},
            "digits": [2, 8],
        },
        "wanted": {"from_ms": 0, "until_ms": 240},
        "pruned_until_ms": 120,
        "tier": "TIER1",
        "counts": {"1970-01": 2},
        "uncounted": ["1970-02"],
        "gap_notes": {
            "open": [
                {
                    "intervals": [[60, 120]],
                    "reason": "rejected",
                    "first_seen_ms": 500,
                    "attempts": 2,
                    "last_error": "no close",
                }
            ],
            "filled": [
                {
                    "intervals": [[0, 30], [40, 60]],
                    "reason": "not_fetched",
                    "first_seen_ms": 400,
                    "attempts": 0,
                    "last_error": "",
                    "filled_ms": 500,
                }
            ],
        },
    }


def test_what_a_derived_series_is_made_from_is_told_in_a_format_of_its_own() -> None:
    fields = fields_of(DERIVED)

    assert fields["format_version"] == 3
    assert fields["derivation"] == {
        "source": ["kraken", "BTC/USD", "1h"],
        "min_coverage_pct": 90.0,
        "partial": [[0, 60]],
        "stale": [[120, 180]],
    }
    assert decoded(fields) == DERIVED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", ["kraken", "BTC/USD"]),
        ("source", "kraken BTC/USD 1h"),
        ("source", ["kraken", "BTC/USD", "1y"]),
        ("min_coverage_pct", 0),
        ("min_coverage_pct", 101.0),
        ("min_coverage_pct", "90"),
        ("partial", None),
        ("stale", [[2, 1]]),
    ],
)
def test_a_derivation_that_is_none_is_an_error_that_names_the_place(
    name: str, value: object
) -> None:
    fields = fields_of(DERIVED)
    fields["derivation"][name] = value

    with pytest.raises(RecordError, match=f"'derivation.{name}'"):
        decoded(fields)


def test_of_a_record_without_counts_no_month_is_known() -> None:
    fields = fields_of(FULL)
    del fields["counts"]

    assert decoded(fields).counts == CandleCounts(unknown=frozenset({Month(1970, 1)}))


@pytest.mark.parametrize(
    "changes", [{"counts": {"March": 1}}, {"counts": []}, {"uncounted": [3]}, {"uncounted": None}]
)
def test_counts_of_no_month_are_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(RecordError, match=r"counts|uncounted|March|3"):
        decoded(fields_of(FULL) | changes)


def test_coverage_beyond_all_calendars_is_malformed() -> None:
    fields = fields_of(covering_everything()) | {"counts": None}
    del fields["counts"]

    with pytest.raises(RecordError, match="covered"):
        decoded(fields)


def covering_everything() -> SeriesRecord:
    return SeriesRecord(Coverage(IntervalSet.of(0, 2**62)))


def test_a_series_may_be_made_from_another_timeframe() -> None:
    daily = Series.merged(BITCOIN, Timeframe(1440))

    merging = decoded(fields_of(FULL), daily).merging

    assert merging is not None
    assert {source.timeframe for source in merging.basis.sources} == {Timeframe(60)}


def test_keys_and_reasons_of_later_versions_are_passed_over() -> None:
    fields = fields_of(FULL) | {"colour": "blue"}
    fields["listing"]["weather"] = "fine"
    fields["coverage"]["reasons"]["eaten_by_the_dog"] = [[300, 360]]

    assert decoded(fields) == FULL


@pytest.mark.parametrize("value", MALFORMED_INTERVALS, ids=repr)
@pytest.mark.parametrize(
    "place",
    [
        "coverage.covered",
        "coverage.provisional",
        "coverage.reasons.rejected",
        "merging.former.0.made",
    ],
)
def test_malformed_intervals_are_an_error_that_names_the_place(place: str, value: object) -> None:
    shown = place.replace(".0.", "[0].")

    with pytest.raises(RecordError) as caught:
        decoded(with_value(place, value))

    assert f"'{shown}'" in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("coverage", []),
        ("coverage", None),
        ("coverage.reasons", []),
        ("coverage.reasons", None),
        ("listing", None),
        ("listing.first_day_ms", "1"),
        ("listing.silent_until_ms", 1.5),
        ("listing.is_delisted", None),
        ("listing.is_delisted", 1),
        ("catch_up_from_ms", True),
        ("precision", [2, 8]),
        ("precision.price_digits", "2"),
        ("merging", []),
        ("merging.rules", {}),
        ("merging.rules", None),
        ("merging.sources", None),
        ("merging.sources", ["kraken"]),
        ("merging.sources", [["kraken"]]),
        ("merging.sources", [["kraken", 1]]),
        ("merging.sources", [["kraken", "BTC"]]),
        ("merging.former", None),
        ("merging.former", [[]]),
        ("exports", None),
        ("exports.backlog", []),
        ("exports.backlog.parquet", None),
        ("exports.backlog.parquet.March", 1),
        ("exports.backlog.parquet.2023-03", None),
        ("exports.backlog.parquet.2023-03", 1.5),
        ("exports.digits", [2]),
        ("exports.digits", [2, "8"]),
        ("tier", 1.5),
        ("tier", True),
        ("tier", ["TIER1"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_that_names_the_place(
    place: str, value: object
) -> None:
    with pytest.raises(RecordError) as caught:
        decoded(with_value(place, value))

    assert f"'{place}'" in str(caught.value)


def test_two_former_bases_of_one_minute_are_an_error() -> None:
    fields = fields_of(FULL)
    fields["merging"]["former"] *= 2

    with pytest.raises(RecordError, match="claim the same minutes"):
        decoded(fields)


@pytest.mark.parametrize("key", ["coverage", "listing", "exports", "format_version"])
def test_a_record_without_its_subjects_is_an_error(key: str) -> None:
    fields = fields_of(FULL)
    del fields[key]

    with pytest.raises(RecordError, match=f"'{key}': it is missing"):
        decoded(fields)


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "7", "{", '{"covered": []}', "[" * 100_000, "NaN"],
    ids=["nothing", "null", "list", "number", "cut", "no version", "deep", "nan"],
)
def test_a_text_that_is_no_record_is_an_error(text: str) -> None:
    with pytest.raises(RecordError):
        decode_record(text, KRAKEN)


def test_a_cut_record_is_an_error() -> None:
    text = encode_record(FULL)

    for length in range(len(text)):
        with pytest.raises(RecordError):
            decode_record(text[:length], MERGED)


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.5, None])
def test_a_version_that_is_none_is_an_error(version: object) -> None:
    with pytest.raises(RecordError, match="'format_version'"):
        decoded(fields_of(FULL) | {"format_version": version})


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(RecordError, match="newer candle-ingestor"):
        decoded(fields_of(NOTHING_KNOWN) | {"format_version": 4})


def record_of_the_first_version(**changes: object) -> dict[str, object]:
    return {
        "format_version": 1,
        "covered": [[0, 60], [120, 180]],
        "reasons": {},
        "listed_from_ms": 0,
        "listing_sought_from_ms": 0,
        "merge_rules": None,
        "former_rules": [],
        "unexported": [[0, 60]],
        "export_digits": None,
        **changes,
    }


def test_of_a_first_version_what_is_still_true_is_read() -> None:
    """Not when the market was listed, nor what was below the minimum: its rules were wrong."""
    reasons = {reason.value: [[200 + 10 * n, 205 + 10 * n]] for n, reason in enumerate(GapReason)}

    record = decoded(record_of_the_first_version(reasons=reasons, export_digits=[2, 8]), KRAKEN)

    wrong = (GapReason.NOT_LISTED_YET, GapReason.BELOW_MINIMUM)
    assert record == SeriesRecord(
        Coverage(
            IntervalSet([(0, 60), (120, 180)]),
            reasons={
                reason: IntervalSet.of(200 + 10 * n, 205 + 10 * n)
                for n, reason in enumerate(GapReason)
                if reason not in wrong
            },
        ),
        exports=Exports(digits=(2, 8)),
        counts=CandleCounts(unknown=frozenset({Month(1970, 1)})),
    )


def test_of_a_first_versions_merged_series_nothing_is_known_but_its_digits() -> None:
    """So that it is merged again from the candles of its exchanges."""
    fields = record_of_the_first_version(
        merge_rules=RULES.to_json(), former_rules=[[0, 60]], export_digits=[2, 8]
    )

    assert decoded(fields) == SeriesRecord(exports=Exports(digits=(2, 8)))


@pytest.mark.parametrize("value", MALFORMED_INTERVALS, ids=repr)
def test_a_malformed_first_version_is_an_error(value: object) -> None:
    for fields in ({"covered": value}, {"reasons": {"rejected": value}}):
        with pytest.raises(RecordError):
            decoded(record_of_the_first_version(**fields), KRAKEN)
