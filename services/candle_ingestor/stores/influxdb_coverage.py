"""Coverage records as points. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.influxdb_lines import CANDLE_COVERAGE, point_line, tag_text
from candle_ingestor.stores.influxdb_parts import IncompleteTextError, TextInParts, joined
from candle_ingestor.stores.influxdb_queries import LAST_NS
from candle_ingestor.stores.record_json import RecordError, decode_record, encode_record

SERIES_COLUMNS: dict[str, pl.DataType] = {
    "exchange": pl.String(),
    "currency_pair": pl.String(),
    "timeframe": pl.String(),
}
COVERAGE_COLUMNS: dict[str, pl.DataType] = {
    "time": pl.Int64(),
    **SERIES_COLUMNS,
    "part": pl.String(),
    "part_count": pl.Int64(),
    "digest": pl.String(),
    "intervals": pl.String(),
}


@dataclass(frozen=True)
class KeptRecord:
    """A record, and the time at which InfluxDB keeps it."""

    record: CoverageRecord
    time_ns: int


def record_lines(series: Series, record: CoverageRecord, time_ns: int) -> list[str]:
    """The points of a record, which belong in one request.

    The record's JSON is cut into parts. Each says how many there are and of which text, so that a
    reader knows the parts of one record from those that a longer one left behind. Part 0 carries
    figures for dashboards.

    Raises:
        ValueError: if the merge rules hold something JSON cannot say.
    """
    text = TextInParts.cut(encode_record(record))
    lines = []
    for number, part in enumerate(text.parts):
        tags = {
            "exchange": series.exchange,
            "currency_pair": str(series.symbol),
            "timeframe": str(series.timeframe),
            "part": str(number),
        }
        fields: dict[str, int | float | str] = {
            "intervals": part,
            "part_count": len(text.parts),
            "digest": text.digest,
        }
        if number == 0:
            fields |= _figures(record)
        lines.append(point_line(CANDLE_COVERAGE, tags, fields, time_ns))
    return lines


def kept_records(rows: pl.DataFrame, wanted: Iterable[Series]) -> dict[Series, KeptRecord]:
    """The newest record of each wanted series that the rows of a coverage query hold.

    Raises:
        IncompleteTextError: if one is not whole.
        RecordError: if one is no record.
    """
    names = {_names(series): series for series in wanted}
    parts: dict[Series, dict[int, list[Mapping[str, object]]]] = {}
    for row in rows.iter_rows(named=True):
        key = tuple(tag_text(row[name]) for name in SERIES_COLUMNS)
        series = names.get(key)
        if series is not None:
            parts.setdefault(series, {}).setdefault(row["time"], []).append(row)
    return {
        series: KeptRecord(_record(series, by_time[max(by_time)]), max(by_time))
        for series, by_time in parts.items()
    }


def named_series(rows: pl.DataFrame) -> list[Series]:
    """The series that the rows name, sorted, each once.

    Raises:
        ValueError: if a name is none of a series.
    """
    names = rows.select(SERIES_COLUMNS.keys()).unique()
    return sorted(
        Series(tag_text(exchange), Symbol.parse(tag_text(pair)), Timeframe.parse(timeframe))
        for exchange, pair, timeframe in names.iter_rows()
    )


def without_expired(record: CoverageRecord, horizon_ms: int) -> CoverageRecord:
    """The record without what it says of the time before, whose candles the bucket drops."""
    kept = IntervalSet.of(horizon_ms, LAST_NS // 1_000_000)
    return replace(
        record,
        covered=record.covered & kept,
        former_rules=record.former_rules & kept,
        unexported=record.unexported & kept,
    )


def _record(series: Series, rows: list[Mapping[str, object]]) -> CoverageRecord:
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
        return decode_record(joined(texts, count, str(digest)))
    except IncompleteTextError as error:
        raise IncompleteTextError(
            f"the coverage record of {series} is not whole: {error}"
        ) from error
    except RecordError as error:
        raise RecordError(f"the coverage record of {series} cannot be read: {error}") from error


def _figures(record: CoverageRecord) -> dict[str, int]:
    covered = record.covered
    return {
        "covered_from_ms": covered.start_ms if covered else 0,
        "covered_until_ms": covered.end_ms if covered else 0,
        "covered_ms": covered.duration_ms,
        "interval_count": len(covered),
        **{
            f"{reason.value}_ms": (record.reasons[reason] - covered).duration_ms
            if reason in record.reasons
            else 0
            for reason in GapReason
        },
    }


def _names(series: Series) -> tuple[str, ...]:
    return series.exchange, str(series.symbol), str(series.timeframe)
