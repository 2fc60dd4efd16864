"""Series records as SQLite rows: a row an interval, one of notes on gaps, and one for all else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import apsw

from candle_ingestor.model.gap_notes import NO_NOTES, GapNotes
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.gap_notes_json import gap_notes_fields
from candle_ingestor.stores.record_fields import Fields, RecordError
from candle_ingestor.stores.record_json import (
    compact_json,
    parsed_fields,
    record_fields,
    record_of,
)

COVERED, PROVISIONAL = "covered", "provisional"
_GROUPS = ("reasons", "origins")
"""Intervals by a name, which is their kind in the rows."""

_Intervals = tuple[tuple[int, int], ...]
_ByKind = Mapping[str, _Intervals]


class RecordRows:
    """Writes and reads records, and remembers the intervals of each so as to write what differs."""

    def __init__(self) -> None:
        self._known: dict[int, _ByKind] = {}
        self._known_notes: dict[int, GapNotes] = {}

    def forget(self) -> None:
        """What is remembered may be stored no longer, since another program wrote."""
        self._known.clear()
        self._known_notes.clear()

    def write(self, connection: apsw.Connection, series_id: int, record: SeriesRecord) -> None:
        """Replaces the record of a series inside the caller's transaction."""
        former = self._known.get(series_id)
        if former is None:
            former = dict(_intervals_of(connection, series_id).get(series_id, {}))
        intervals = _by_kind(record)
        for kind in {**former, **intervals}:
            _write_difference(
                connection, (series_id, kind), former.get(kind, ()), intervals.get(kind, ())
            )
        connection.execute(
            "INSERT OR REPLACE INTO series_record_rows (series_id, facts) VALUES (?, ?)",
            (series_id, _facts(record)),
        )
        self._known[series_id] = intervals
        if self._known_notes.get(series_id) != record.gap_notes:
            connection.execute(
                "INSERT OR REPLACE INTO gap_note_rows (series_id, notes) VALUES (?, ?)",
                (series_id, compact_json(gap_notes_fields(record.gap_notes))),
            )
            self._known_notes[series_id] = record.gap_notes

    def remove(self, connection: apsw.Connection, series_id: int) -> None:
        """Removes the record of a series inside the caller's transaction."""
        for name in ("series_record_rows", "coverage_interval_rows"):
            connection.execute(f"DELETE FROM {name} WHERE series_id = ?", (series_id,))
        self._known.pop(series_id, None)

    def read_all(self, connection: apsw.Connection) -> dict[Series, SeriesRecord]:
        """Every record, inside the caller's transaction.

        Raises:
            RecordError: if one is malformed; the message names the series.
        """
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT series_id, exchange, currency_pair, timeframe, facts, notes"
            " FROM series_record_rows CROSS JOIN series USING (series_id)"
            " LEFT JOIN gap_note_rows USING (series_id)"
        ).fetchall()
        intervals = _intervals_of(connection)
        records: dict[Series, SeriesRecord] = {}
        for series_id, exchange, pair, timeframe, facts, notes in rows:
            by_kind = intervals.get(series_id, {})
            name = f"the coverage record of {exchange} {pair} {timeframe} cannot be read"
            try:
                series = Series(exchange, Symbol.parse(pair), Timeframe.parse(timeframe))
                records[series] = _record(facts, notes, by_kind, series)
            except ValueError as error:
                raise RecordError(f"{name}: {error}") from error
            self._known[series_id] = by_kind
            self._known_notes[series_id] = records[series].gap_notes
        return records


def _facts(record: SeriesRecord) -> str:
    fields = record_fields(record)
    fields["coverage"] = {
        "reasons": [reason.value for reason in record.coverage.reasons],
        "origins": [origin.value for origin in record.coverage.origins],
    }
    del fields["gap_notes"]
    return compact_json(fields)


def _record(facts: str, notes: str | None, intervals: _ByKind, series: Series) -> SeriesRecord:
    fields: dict[str, Any] = parsed_fields(facts)
    if notes is not None:
        fields["gap_notes"] = parsed_fields(notes)
    coverage = Fields(fields).within("coverage")
    fields["coverage"] = {
        COVERED: list(intervals.get(COVERED, ())),
        PROVISIONAL: list(intervals.get(PROVISIONAL, ())),
        **{
            group: {str(name): list(intervals.get(str(name), ())) for name in coverage.items(group)}
            for group in _GROUPS
            if coverage.has(group)
        },
    }
    return record_of(fields, series)


def _by_kind(record: SeriesRecord) -> dict[str, _Intervals]:
    return {
        COVERED: record.covered.intervals,
        PROVISIONAL: record.provisional.intervals,
        **{name.value: intervals.intervals for name, intervals in record.coverage.reasons.items()},
        **{name.value: intervals.intervals for name, intervals in record.coverage.origins.items()},
    }


def _intervals_of(connection: apsw.Connection, series_id: int | None = None) -> dict[int, _ByKind]:
    """The stored intervals by series and kind, ascending; of one series, or of all."""
    condition, parameters = ("", ()) if series_id is None else ("WHERE series_id = ?", (series_id,))
    rows = connection.execute(
        "SELECT series_id, kind, start_ms, end_ms FROM coverage_interval_rows"
        f" {condition} ORDER BY series_id, kind, start_ms",
        parameters,
    )
    found: dict[int, dict[str, _Intervals]] = {}
    for (owner, kind), group in groupby(rows, key=itemgetter(0, 1)):
        found.setdefault(owner, {})[kind] = tuple(map(itemgetter(2, 3), group))
    return dict(found)


def _write_difference(
    connection: apsw.Connection,
    key: tuple[int, str],
    former: _Intervals,
    intervals: _Intervals,
) -> None:
    head = _common_head(former, intervals)
    former, intervals = former[head:], intervals[head:]
    tail = _common_head(former[::-1], intervals[::-1])
    former, intervals = former[: len(former) - tail], intervals[: len(intervals) - tail]
    if former:
        connection.executemany(
            "DELETE FROM coverage_interval_rows WHERE series_id = ? AND kind = ? AND start_ms = ?",
            ((*key, start_ms) for start_ms, _ in former),
        )
    if intervals:
        connection.executemany(
            "INSERT OR REPLACE INTO coverage_interval_rows (series_id, kind, start_ms, end_ms)"
            " VALUES (?, ?, ?, ?)",
            ((*key, *interval) for interval in intervals),
        )


def _common_head(left: _Intervals, right: _Intervals) -> int:
    """How many first intervals are the same. Halves are compared whole, which Python does fast."""
    same, most = 0, min(len(left), len(right))
    while same < most:
        middle = (same + most + 1) // 2
        if left[same:middle] == right[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same


def record_views() -> Iterator[str]:
    """Statements that make the views through which other programs read coverage in SQL.

    `candle_coverage` has the record as the JSON that `encode_record` makes of it, for which SQLite
    needs its JSON functions; `coverage_intervals` has a row an interval.
    """
    name = "name.value"
    groups = ", ".join(
        f"'{group}', json((SELECT json_group_object({name}, json({_interval_list(name)}))"
        f" FROM json_each(facts, '$.coverage.{group}') AS name))"
        for group in _GROUPS
    )
    no_notes = compact_json(gap_notes_fields(NO_NOTES))
    lists = ", ".join(
        f"'{kind}', json({_interval_list(repr(kind))})" for kind in (COVERED, PROVISIONAL)
    )
    yield (
        "CREATE VIEW candle_coverage AS SELECT exchange, currency_pair, timeframe,"
        f" json_set(facts, '$.coverage', json_object({lists}, {groups}),"
        f" '$.gap_notes', json(COALESCE(notes, '{no_notes}')))"
        " AS record FROM series_record_rows AS owner CROSS JOIN series USING (series_id)"
        " LEFT JOIN gap_note_rows USING (series_id)"
    )
    yield (
        "CREATE VIEW coverage_intervals AS"
        " SELECT exchange, currency_pair, timeframe, kind, start_ms, end_ms"
        " FROM series CROSS JOIN coverage_interval_rows USING (series_id)"
    )


def _interval_list(kind: str) -> str:
    return (
        "(SELECT json_group_array(json_array(start_ms, end_ms)) FROM (SELECT start_ms, end_ms"
        " FROM coverage_interval_rows AS part"
        f" WHERE part.series_id = owner.series_id AND part.kind = {kind} ORDER BY start_ms))"
    )
