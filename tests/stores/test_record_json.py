import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.record_json import RecordError, decode_record, encode_record

MALFORMED_INTERVALS = [
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
]

interval_sets = st.lists(
    st.tuples(st.integers(-(2**62), 2**62), st.integers(1, 2**40)).map(
        lambda pair: (pair[0], pair[0] + pair[1])
    ),
    max_size=20,
).map(IntervalSet)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
records = st.builds(
    CoverageRecord,
    covered=interval_sets,
    reasons=st.dictionaries(st.sampled_from(GapReason), interval_sets),
    listed_from_ms=st.none() | st.integers(),
    merge_rules=st.none() | st.dictionaries(st.text(), json_values),
    former_rules=interval_sets,
)


def fields_of(record: CoverageRecord) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(encode_record(record))
    return fields


@given(records)
def test_any_record_survives(record: CoverageRecord) -> None:
    assert decode_record(encode_record(record)) == record


def test_intervals_are_written_as_pairs() -> None:
    record = CoverageRecord(
        covered=IntervalSet([(0, 60), (120, 180)]),
        reasons={GapReason.REJECTED: IntervalSet.of(60, 120)},
    )

    fields = fields_of(record)

    assert fields["covered"] == [[0, 60], [120, 180]]
    assert fields["reasons"] == {"rejected": [[60, 120]]}


def test_keys_and_reasons_of_later_versions_are_passed_over() -> None:
    fields = fields_of(CoverageRecord(covered=IntervalSet.of(0, 60)))
    fields["colour"] = "blue"
    fields["reasons"] = {"eaten_by_the_dog": [[60, 120]], "rejected": [[120, 180]]}

    record = decode_record(json.dumps(fields))

    assert record.covered == IntervalSet.of(0, 60)
    assert record.reasons == {GapReason.REJECTED: IntervalSet.of(120, 180)}


@pytest.mark.parametrize("value", MALFORMED_INTERVALS, ids=repr)
@pytest.mark.parametrize("key", ["covered", "former_rules"])
def test_malformed_intervals_are_an_error_that_names_the_key(key: str, value: object) -> None:
    fields = fields_of(CoverageRecord()) | {key: value}

    with pytest.raises(RecordError, match=f"'{key}'"):
        decode_record(json.dumps(fields))


@pytest.mark.parametrize("value", MALFORMED_INTERVALS, ids=repr)
def test_malformed_reasons_are_an_error_that_names_the_reason(value: object) -> None:
    fields = fields_of(CoverageRecord()) | {"reasons": {"rejected": value}}

    with pytest.raises(RecordError, match=r"'reasons\.rejected'"):
        decode_record(json.dumps(fields))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reasons", []),
        ("reasons", None),
        ("listed_from_ms", "1"),
        ("listed_from_ms", 1.5),
        ("listed_from_ms", True),
        ("merge_rules", []),
        ("merge_rules", "x"),
    ],
)
def test_a_field_of_the_wrong_type_is_an_error(key: str, value: object) -> None:
    fields = fields_of(CoverageRecord()) | {key: value}

    with pytest.raises(RecordError, match=f"'{key}'"):
        decode_record(json.dumps(fields))


def test_a_record_without_coverage_is_an_error() -> None:
    fields = fields_of(CoverageRecord())
    del fields["covered"]

    with pytest.raises(RecordError, match="'covered' is missing"):
        decode_record(json.dumps(fields))


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "7", "{", '{"covered": []}', "[" * 100_000, "NaN"],
    ids=["nothing", "null", "list", "number", "cut", "no version", "deep", "nan"],
)
def test_a_text_that_is_no_record_is_an_error(text: str) -> None:
    with pytest.raises(RecordError):
        decode_record(text)


def test_a_cut_record_is_an_error() -> None:
    text = encode_record(CoverageRecord(covered=IntervalSet([(0, 60), (120, 180)])))

    for length in range(len(text)):
        with pytest.raises(RecordError):
            decode_record(text[:length])


def test_a_newer_format_is_refused() -> None:
    fields = fields_of(CoverageRecord()) | {"format_version": 2}

    with pytest.raises(RecordError, match="newer candle-ingestor"):
        decode_record(json.dumps(fields))


def test_merge_rules_that_json_cannot_say_are_an_error() -> None:
    for rules in ({"exchanges": {1, 2}}, {"deviation": float("nan")}):
        with pytest.raises(ValueError, match="JSON"):
            encode_record(CoverageRecord(merge_rules=rules))
