"""Series records as points. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.lines import CANDLE_COVERAGE, point_line, tag_text
from candle_ingestor.stores.influxdb.parts import IncompleteTextError, TextInParts, joined
from candle_ingestor.stores.influxdb.queries import LAST_NS
from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.record_json import decode_record, encode_record

_SERIES_COLUMNS: dict[str, pl.DataType] = {
    "exchange": pl.String(),
    "currency_pair": pl.String(),
    "timeframe": pl.String(),
}
RECORD_COLUMNS: dict[str, pl.DataType] = {
    "time": pl.Int64(),
    **_SERIES_COLUMNS,
    "part": pl.String(),
    "part_count": pl.Int64(),
    "digest": pl.String(),
    "intervals": pl.String(),
}


@dataclass(frozen=True)
class KeptRecord:
    """A record, and the time at which InfluxDB keeps it."""

    record: SeriesRecord
    time_ns: int


def record_lines(series: Series, record: SeriesRecord, time_ns: int) -> list[str]:
    """The points of a record, which belong in one request.

    The record's JSON is cut into parts. Each says how many there are and of which text, so that a
    reader knows the parts of one record from those that a longer one left behind. Part 0 carries
    figures for dashboards.
    """
    text = TextInParts.cut(encode_record(record))
    lines = []
    for number, part in enumerate(text.parts):
        tags = {**record_tags(series), "part": str(number)}
        fields: dict[str, int | float | str] = {
            "intervals": part,
            "part_count": len(text.parts),
            "digest": text.digest,
        }
        if number == 0:
            fields |= _figures(record)
        lines.append(point_line(CANDLE_COVERAGE, tags, fields, time_ns))
    return lines


def record_tags(series: Series) -> dict[str, str]:
    """The tags that the points of a series' record share."""
    return {
        "exchange": series.exchange,
        "currency_pair": str(series.symbol),
        "timeframe": str(series.timeframe),
    }


def kept_records(rows: pl.DataFrame) -> dict[Series, KeptRecord]:
    """The newest record of each series in the rows of a records query.

    Raises:
        IncompleteTextError: if one is not whole.
        RecordError: if one is no record, or of no series.
    """
    parts: dict[tuple[str, ...], dict[int, list[Mapping[str, object]]]] = {}
    for row in rows.iter_rows(named=True):
        names = tuple(str(row[name] or "") for name in _SERIES_COLUMNS)
        parts.setdefault(names, {}).setdefault(row["time"], []).append(row)
    return {
        series: KeptRecord(_record(series, by_time[max(by_time)]), max(by_time))
        for series, by_time in ((_series(*names), by_time) for names, by_time in parts.items())
    }


def without_expired(record: SeriesRecord, horizon_ms: int) -> SeriesRecord:
    """The record without what it says of the time before, whose candles the bucket drops."""
    kept = IntervalSet.of(horizon_ms, LAST_NS // 1_000_000)
    cut = Month.of(horizon_ms)
    counts = record.counts.without_before(horizon_ms)
    if record.countable & IntervalSet.of(cut.start_ms, horizon_ms):
        counts = counts.without({cut})
    return replace(
        record,
        coverage=replace(record.coverage.within(kept), reasons=record.coverage.reasons),
        merging=None if record.merging is None else record.merging.within(kept),
        derivation=None if record.derivation is None else record.derivation.within(kept),
        exports=record.exports.without_before(horizon_ms),
        counts=counts,
        gap_notes=record.gap_notes.within(kept),
    )


def _series(exchange: str, pair: str, timeframe: str) -> Series:
    try:
        symbol = Symbol.parse(tag_text(pair))
        return Series(tag_text(exchange), symbol, Timeframe.parse(timeframe))
    except ValueError as error:
        raise RecordError(f"candle_coverage names no series: {error}") from error


def _record(series: Series, rows: list[Mapping[str, object]]) -> SeriesRecord:
    by_part = {int(str(row["part"])): row for row in rows}
    first = by_part.get(0, {})
    count, digest = first.get("part_count"), first.get("digest")
    texts = {
        number: row["intervals"] if isinstance(row["intervals"], str) else None
        for number, row in by_part.items()
    }
    try:
        if not isinstance(count, int):
            raise IncompleteTextError("part 0 is missing")
        return decode_record(joined(texts, count, str(digest)), series)
    except IncompleteTextError as error:
        raise IncompleteTextError(
            f"the coverage record of {series} is not whole: {error}"
        ) from error
    except RecordError as error:
        raise RecordError(f"the coverage record of {series} cannot be read: {error}") from error


def _figures(record: SeriesRecord) -> dict[str, int]:
    covered, reasons = record.covered, record.coverage.reasons
    return {
        "covered_from_ms": covered.start_ms if covered else 0,
        "covered_until_ms": covered.end_ms if covered else 0,
        "covered_ms": covered.duration_ms,
        "provisional_ms": record.provisional.duration_ms,
        "interval_count": len(covered),
        **{
            f"{reason.value}_ms": (reasons.get(reason, EMPTY) - covered).duration_ms
            for reason in GapReason
        },
    }
