"""What goes over the wire to InfluxDB and comes back, as text. Pure."""

import gzip
import re
from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.answers import (
    AnswerError,
    UnfinishedAnswerError,
    failure_in,
    message_in,
    parse_answer,
)
from candle_ingestor.stores.influxdb.lines import (
    LINES_PER_REQUEST,
    batches,
    candle_lines,
    compressed,
    point_line,
    tag_text,
    tag_value,
)
from candle_ingestor.stores.influxdb.parts import (
    PART_LENGTH,
    IncompleteTextError,
    TextInParts,
    joined,
)
from candle_ingestor.stores.influxdb.queries import (
    candles_query,
    delete_predicate,
    identifier,
    last_open_query,
    newest_query,
    pieces_of,
    spans_of,
    state_query,
    text_literal,
    time_text,
    with_end_mark,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
sayable_texts = texts.filter(lambda text: "\r" not in text and "\0" not in text)
KRAKEN = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
END_MARK = (
    b"name,tags,name,duration,shardGroupDuration,replicaN,default\n,,autogen,0s,168h0m0s,1,true\n"
)
HOSTILE_TEXTS = [
    "'; DROP MEASUREMENT candles; --",
    '"; DELETE FROM candles; --',
    "\\'; DROP MEASUREMENT candles",
    "${r.exchange}",
    "x' OR '1'='1",
    "a\nb",
    "a,b=c d",
    "=~ /.*/",
]


def said(literal: str, quote: str) -> str:
    """What InfluxQL's scanner reads in a quoted text, by its own rules."""
    assert literal[0] == quote
    assert literal[-1] == quote
    inside = literal[1:-1]
    assert re.fullmatch(rf"(?:[^\\\n{quote}]|\\[\\n'\"])*", inside)
    escapes = {"\\n": "\n"}
    return re.sub(r"\\[\\n'\"]", lambda found: escapes.get(found[0], found[0][1:]), inside)


@given(sayable_texts)
def test_a_quoted_text_never_ends_early_and_says_the_same(text: str) -> None:
    assert said(text_literal(text), "'") == text
    assert said(identifier(text), '"') == text


@pytest.mark.parametrize("text", ["a\rb", "a\0b"])
def test_a_text_that_influxql_cannot_say_is_an_error(text: str) -> None:
    for quote in (text_literal, identifier):
        with pytest.raises(ValueError, match="InfluxQL"):
            quote(text)


@given(texts)
def test_a_tag_value_says_the_same_without_what_a_tag_cannot_hold(text: str) -> None:
    value = tag_value(text)

    assert tag_text(value) == text
    assert not re.search(r"[\x00-\x1f\x7f\\]", value)


def test_the_names_of_this_program_are_tag_values_as_they_are() -> None:
    for text in ("BTC/USD", "BTC/USD-backfill", "coinbaseexchange", "1m", "candle-ingestor"):
        assert tag_value(text) == text


def test_an_empty_tag_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        point_line("m", {"a": ""}, {"v": 1}, 0)


def quoted_parts(query: str) -> list[str]:
    """The texts between single quotes; fails where a quote does not close."""
    parts = re.findall(r"'((?:[^\\']|\\.)*)'", query)
    rest = re.sub(r"'(?:[^\\']|\\.)*'", "", query)
    assert "'" not in rest
    return parts


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_names_stay_inside_their_quotes(text: str) -> None:
    series = Series(text, Symbol("BTC", "USD"), Timeframe(1))
    plain = Series("x", Symbol("BTC", "USD"), Timeframe(1))

    for query, tame in (
        (candles_query(series, Interval(0, 1)), candles_query(plain, Interval(0, 1))),
        (last_open_query(series, 1), last_open_query(plain, 1)),
        (state_query(text), state_query("x")),
    ):
        without_texts = re.sub(r"'(?:[^\\']|\\.)*'", "''", query)
        assert without_texts == re.sub(r"'(?:[^\\']|\\.)*'", "''", tame)
        assert text_literal(tag_value(text))[1:-1] in quoted_parts(query)
    predicate = delete_predicate("m", {"exchange": text})
    assert re.sub(r'"(?:[^\\"]|\\.)*"', '""', predicate) == '""="" AND ""=""'
    database = with_end_mark("SELECT 1", text)
    assert re.sub(r'"(?:[^\\"]|\\.)*"', '""', database).count(";") == 1


def test_a_candle_query_names_columns_tags_and_times() -> None:
    assert candles_query(KRAKEN, Interval(60_000, 120_000)) == (
        'SELECT "open", "high", "low", "close", "volume" FROM "exchange_candles"'
        " WHERE \"exchange\" = 'kraken' AND \"currency_pair\" = 'BTC/USD'"
        " AND \"timeframe\" = '1m' AND time >= 60000000000 AND time < 120000000000"
    )


def test_times_that_influxdb_cannot_keep_are_cut_to_those_it_can() -> None:
    query = candles_query(KRAKEN, Interval(-(2**70), 2**70))

    assert "time >= -9223372036854775806 AND time < 9223372036854775807" in query


def test_a_query_of_the_newest_names_timeframes_and_no_series() -> None:
    """So that it stays short however many series there are."""
    series = [
        Series(f"e{number}", Symbol("BTC", "USD"), Timeframe(minutes))
        for number in range(50)
        for minutes in (1, 5)
    ]

    assert newest_query(series, 60_000) == (
        'SELECT "exchange", "currency_pair", "timeframe", "open", "high", "low", "close", "volume"'
        ' FROM "exchange_candles" WHERE ("timeframe" = \'1m\' OR "timeframe" = \'5m\')'
        " AND time >= 60000000000 AND time <= 9223372036854775806"
    )


@given(st.integers(-(10**6), 10**6), st.integers(1, 400_000), st.sampled_from([1, 5, 60]))
def test_pieces_make_up_the_interval_and_end_with_a_week(
    first_minute: int, minute_count: int, minutes_a_candle: int
) -> None:
    interval = Interval(first_minute * 60_000, (first_minute + minute_count) * 60_000)

    pieces = pieces_of(interval, minutes_a_candle * 60_000)

    assert (pieces[0].start_ms, pieces[-1].end_ms) == interval
    assert all(left.end_ms == right.start_ms for left, right in pairwise(pieces))
    assert all(piece.duration_ms > 0 for piece in pieces)
    edges = [datetime.fromtimestamp(piece.start_ms / 1000, UTC) for piece in pieces[1:]]
    assert all((edge.weekday(), edge.hour, edge.minute) == (0, 0, 0) for edge in edges)
    assert len(pieces) <= 16


def test_only_what_is_long_and_bounded_is_read_in_pieces() -> None:
    month = Interval(1_677_628_800_000, 1_677_628_800_000 + 31 * 86_400_000)

    assert len(pieces_of(month, 60_000)) == 5
    assert pieces_of(month, 3_600_000) == [month]
    assert pieces_of(Interval(0, 2**60), 60_000) == [Interval(0, 2**60)]


@given(st.lists(st.integers(-50, 50)))
def test_spans_hold_the_open_times_and_nothing_between(minutes: list[int]) -> None:
    spans = spans_of((minute * 60_000 for minute in minutes), 60_000)

    held = [time for first, last in spans for time in range(first, last + 1, 60_000)]
    assert held == sorted({minute * 60_000 for minute in minutes})
    assert all(spans[i + 1][0] - spans[i][1] > 60_000 for i in range(len(spans) - 1))


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_700_000_040_000_000_001, "2023-11-14T22:14:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (7_258_118_400_000_000_000, "2200-01-01T00:00:00.000000000Z"),
    ],
)
def test_times_of_a_delete_are_exact(time_ns: int, text: str) -> None:
    assert time_text(time_ns) == text


def test_a_line_is_one_of_the_line_protocol() -> None:
    fields: dict[str, int | float | str] = {"a": 3, "b": 3.0, "c": 'say "\\"', "d": -1e-300}

    line = point_line("m", {"z": "a,b=c d", "y": "%\\\n"}, fields, -5)

    assert line == ('m,y=%25%5C%0A,z=a\\,b\\=c\\ d a=3i,b=3.0,c="say \\"\\\\\\"",d=-1e-300 -5')


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_float_is_written_as_a_float_and_exactly(values: list[float]) -> None:
    candles = pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": range(len(values))},
        schema=EXCHANGE_CANDLES,
    )

    for line, value in zip(candle_lines(KRAKEN, candles), values, strict=True):
        texts = re.findall(r"=(-?[0-9.]+(?:e[-+]?[0-9]+)?)(?=[, ])", line)
        assert [float(text).hex() for text in texts] == [value.hex()] * 5


def test_compressed_lines_are_the_lines() -> None:
    lines = pl.Series("line", ['m v="a,b"" 1', "m,t=x v=2 2", "ü v=3 3"])

    assert gzip.decompress(compressed(lines)).decode().splitlines() == lines.to_list()


@given(st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=3), max_size=30))
def test_batches_hold_every_line_in_order_and_part_no_group(groups: list[list[str]]) -> None:
    found = list(batches(groups))

    assert [line for batch in found for line in batch] == [line for g in groups for line in g]


def test_batches_are_bounded_but_for_a_group_that_is_longer() -> None:
    groups = [["x"] * 3_000, ["y"] * 3_000, ["z" * 3_000_000], ["z" * 3_000_000], ["w"] * 9_000]

    sizes = [len(batch) for batch in batches(groups)]

    assert sizes == [3_000, 3_001, 1, 9_000]
    assert LINES_PER_REQUEST == 5_000


COLUMNS: dict[str, pl.DataType] = {"time": pl.Int64(), "v": pl.Float64(), "s": pl.String()}
ANSWER = b'name,tags,time,v,s\nm,,5,0.25,"a ""b"", c"\nm,,6,1,\n\n' + END_MARK


def test_an_answer_is_read_by_its_columns() -> None:
    found = parse_answer(ANSWER, COLUMNS)

    assert found.rows() == [(5, 0.25, 'a "b", c'), (6, 1.0, None)]
    assert found.schema == pl.Schema(COLUMNS)


def test_an_answer_of_nothing_but_its_end_has_no_rows() -> None:
    found = parse_answer(END_MARK, COLUMNS)

    assert found.is_empty()
    assert found.schema == pl.Schema(COLUMNS)


def test_every_answer_without_its_end_is_unfinished() -> None:
    for length in range(len(ANSWER) - len(END_MARK) + END_MARK.index(b"\n") + 1):
        with pytest.raises(UnfinishedAnswerError):
            parse_answer(ANSWER[:length], COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        b"error\ntimeout\n\n",
        b"name,tags,time,v,s\nm,,x,1,\n\n",
        b"name,tags,v\nm,,1\n\n",
        b"<html>",
    ],
    ids=["error", "no number", "other columns", "html"],
)
def test_an_answer_to_something_else_is_an_error(text: bytes) -> None:
    with pytest.raises(AnswerError):
        parse_answer(text + END_MARK, COLUMNS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b'{"results":[{"statement_id":0,"error":"database not found: x"}]}',
            "database not found: x",
        ),
        (b'{"error":"timeout"}', "timeout"),
        (b'{"results":[{"statement_id":0}]}', None),
        (b'{"results":null}', None),
        (b"[]", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_the_reason_of_a_failed_query_is_found(body: bytes, reason: str | None) -> None:
    assert failure_in(body) == reason


def test_the_message_of_a_refusal_is_one_line_of_bounded_length() -> None:
    assert message_in(b'{"code":"invalid","message":"a\\nb"}') == "a b"
    assert message_in(b"<html>\n <b>Bad gateway</b>") == "<html> <b>Bad gateway</b>"
    assert message_in(None) == ""
    assert len(message_in(b"x" * 10_000)) < 400


@given(st.integers(0, 3 * PART_LENGTH + 1))
def test_a_text_is_the_sum_of_its_parts(length: int) -> None:
    text = "0123456789"[: length % 10] + "abcdefghij" * (length // 10)

    cut = TextInParts.cut(text)

    assert all(len(part) <= PART_LENGTH for part in cut.parts)
    extra = {len(cut.parts): "left behind by a longer text"}
    assert joined(dict(enumerate(cut.parts)) | extra, len(cut.parts), cut.digest) == text


def test_parts_that_are_missing_or_of_another_text_are_found_out() -> None:
    cut, other = TextInParts.cut("a" * 150_000), TextInParts.cut("b" * 150_000)
    parts, others = dict(enumerate(cut.parts)), dict(enumerate(other.parts))

    for wrong in ({**parts, 1: None}, {0: parts[0], 2: parts[2]}, {**parts, 2: others[2]}, {}):
        with pytest.raises(IncompleteTextError):
            joined(wrong, 3, cut.digest)
