"""Series records as JSON text, the same in every store. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.derivation import Derivation
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
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
from candle_ingestor.stores.gap_notes_json import gap_notes_fields, gap_notes_of
from candle_ingestor.stores.record_fields import Fields, RecordError
from candle_ingestor.stores.record_json_1 import record_of_format_1

FORMAT_VERSION = 3
_FORMAT_OF_THE_UNDERIVED = 2
"""An earlier release may read what it knows, and not leave derived candles behind their source."""


def encode_record(record: SeriesRecord) -> str:
    """The record as compact JSON; intervals are `[[start_ms, end_ms], ...]`, half-open, ascending.

    What a series is made from is named by `[exchange, symbol, timeframe]`.
    """
    return compact_json(record_fields(record))


def decode_record(text: str, series: Series) -> SeriesRecord:
    """The record of `series` that `encode_record`, or an earlier version of it, wrote.

    Keys and reasons that it does not know are passed over.

    Raises:
        RecordError: if the text is malformed or of a newer format.
    """
    return record_of(parsed_fields(text), series)


def compact_json(fields: Mapping[str, Any]) -> str:
    """The fields as JSON without spaces."""
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def parsed_fields(text: str) -> dict[str, Any]:
    """The keys and values of the JSON object that the text is.

    Raises:
        RecordError: if it is none.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RecordError("it is not a JSON object")
    return fields


def record_fields(record: SeriesRecord) -> dict[str, Any]:
    """The record as values that JSON knows."""
    coverage, listing = record.coverage, record.listing
    return {
        **_derivation_fields(record.derivation),
        "coverage": {
            "covered": coverage.covered.intervals,
            "provisional": coverage.provisional.intervals,
            "reasons": {
                reason.value: intervals.intervals for reason, intervals in coverage.reasons.items()
            },
            "origins": {
                origin.value: intervals.intervals for origin, intervals in coverage.origins.items()
            },
        },
        "listing": {
            "first_day_ms": listing.first_day_ms,
            "silent_until_ms": listing.silent_until_ms,
            "listed_by_ms": listing.listed_by_ms,
            "is_delisted": listing.is_delisted,
        },
        "catch_up_from_ms": record.catch_up_from_ms,
        "precision": _precision_fields(record.precision),
        "merging": _merging_fields(record.merging),
        "exports": {
            "backlog": {
                target: {str(month): first_ms for month, first_ms in lacking.items()}
                for target, lacking in record.exports.backlog.items()
            },
            "digits": record.exports.digits,
        },
        "wanted": _wanted_fields(record.wanted),
        "pruned_until_ms": record.pruned_until_ms,
        "tier": record.tier,
        "counts": {str(month): candles for month, candles in record.counts.by_month.items()},
        "uncounted": [str(month) for month in sorted(record.counts.unknown)],
        "gap_notes": gap_notes_fields(record.gap_notes),
    }


def record_of(values: Mapping[str, Any], series: Series) -> SeriesRecord:
    """The record that `record_fields`, or an earlier version of it, made these values of.

    Raises:
        RecordError: if they are malformed or of a newer format.
    """
    fields = Fields(values)
    version = fields.whole_number("format_version")
    if version < 1:
        raise RecordError(f"'format_version' is {version}")
    if version > FORMAT_VERSION:
        raise RecordError(
            f"it has format {version} and this program knows up to {FORMAT_VERSION}; "
            "a newer candle-ingestor wrote it"
        )
    record = record_of_format_1(fields, series) if version == 1 else _record(fields)
    return replace(record, counts=_counts(fields, record))


def _record(fields: Fields) -> SeriesRecord:
    return SeriesRecord(
        coverage=_coverage(fields.within("coverage")),
        listing=_listing(fields.within("listing")),
        catch_up_from_ms=fields.optional_number("catch_up_from_ms"),
        precision=_precision(fields.optional_within("precision")),
        merging=_merging(fields.optional_within("merging")),
        derivation=_derivation(fields.optional_within("derivation")),
        exports=_exports(fields.within("exports")),
        wanted=_wanted(fields.optional_within("wanted")) if fields.has("wanted") else None,
        pruned_until_ms=fields.optional_number("pruned_until_ms"),
        gap_notes=gap_notes_of(fields.optional_within("gap_notes")),
        tier=fields.optional_name("tier"),
    )


def _counts(fields: Fields, record: SeriesRecord) -> CandleCounts:
    if not fields.has("counts"):
        try:
            return CandleCounts(unknown=frozenset(months_of(record.countable)))
        except (ValueError, OverflowError, OSError) as error:
            raise fields.malformed("covered", f"no calendar has such a time: {error}") from error
    return CandleCounts(
        _by_month(fields.within("counts")),
        frozenset(_month(name, fields) for name in fields.items("uncounted")),
    )


def _wanted_fields(wanted: Wanted | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    return {"from_ms": wanted.from_ms, "until_ms": wanted.until_ms}


def _wanted(fields: Fields | None) -> Wanted | None:
    if fields is None:
        return None
    return Wanted(fields.whole_number("from_ms"), fields.optional_number("until_ms"))


def _precision_fields(precision: Precision | None) -> dict[str, Any] | None:
    if precision is None:
        return None
    return {"price_digits": precision.price_digits, "volume_digits": precision.volume_digits}


def _merging_fields(merging: Merging | None) -> dict[str, Any] | None:
    if merging is None:
        return None
    return {
        **_basis_fields(merging.basis),
        "former": [
            {**_basis_fields(basis), "made": made.intervals} for basis, made in merging.former
        ],
        "stale": merging.stale.intervals,
    }


def _basis_fields(basis: MergeBasis) -> dict[str, Any]:
    return {
        "rules": basis.rules.to_json(),
        "sources": [_names(source) for source in basis.sources],
    }


def _derivation_fields(derivation: Derivation | None) -> dict[str, Any]:
    if derivation is None:
        return {"format_version": _FORMAT_OF_THE_UNDERIVED}
    return {
        "format_version": FORMAT_VERSION,
        "derivation": {
            "source": _names(derivation.source),
            "min_coverage_pct": derivation.min_coverage_pct,
            "partial": derivation.partial.intervals,
            "stale": derivation.stale.intervals,
        },
    }


def _names(series: Series) -> list[str]:
    return [series.exchange, str(series.symbol), str(series.timeframe)]


def _coverage(fields: Fields) -> Coverage:
    reasons = fields.within("reasons")
    known = {reason.value for reason in GapReason}
    found = {name: reasons.intervals(name) for name in reasons.names}
    origins = fields.optional_within("origins")
    return Coverage(
        covered=fields.intervals("covered"),
        provisional=fields.intervals("provisional"),
        reasons={GapReason(name): found[name] for name in found if name in known},
        origins={} if origins is None else {o: origins.intervals(o) for o in _origins(origins)},
    )


def _origins(fields: Fields) -> list[Origin]:
    return [origin for origin in Origin if fields.has(origin)]


def _listing(fields: Fields) -> Listing:
    return Listing(
        first_day_ms=fields.optional_number("first_day_ms"),
        silent_until_ms=fields.optional_number("silent_until_ms"),
        listed_by_ms=fields.optional_number("listed_by_ms"),
        is_delisted=fields.truth("is_delisted"),
    )


def _precision(fields: Fields | None) -> Precision | None:
    if fields is None:
        return None
    return Precision(
        price_digits=fields.optional_number("price_digits"),
        volume_digits=fields.optional_number("volume_digits"),
    )


def _merging(fields: Fields | None) -> Merging | None:
    if fields is None:
        return None
    former = []
    for earlier in fields.each_within("former"):
        made = earlier.intervals("made")
        if made:
            former.append((_basis(earlier), made))
    _require_disjoint([made for _, made in former], fields)
    stale = fields.intervals("stale") if fields.has("stale") else EMPTY
    return Merging(_basis(fields), tuple(former), stale)


def _basis(fields: Fields) -> MergeBasis:
    try:
        rules = MergeRules.from_json(fields.within("rules").values)
    except ValueError as error:
        raise fields.malformed("rules", str(error)) from error
    sources = tuple(_named_series(value, fields, "sources") for value in fields.items("sources"))
    return MergeBasis(rules, sources)


def _derivation(fields: Fields | None) -> Derivation | None:
    if fields is None:
        return None
    source = _named_series(fields.items("source"), fields, "source")
    partial, stale = fields.intervals("partial"), fields.intervals("stale")
    try:
        return Derivation(source, fields.number("min_coverage_pct"), partial, stale)
    except ValueError as error:
        raise fields.malformed("min_coverage_pct", str(error)) from error


def _named_series(value: object, fields: Fields, name: str) -> Series:
    if not isinstance(value, list) or list(map(type, value)) != [str, str, str]:
        raise fields.malformed(name, "it must hold [exchange, symbol, timeframe] only")
    exchange, symbol, timeframe = value
    try:
        return Series(exchange, Symbol.parse(symbol), Timeframe.parse(timeframe))
    except ValueError as error:
        raise fields.malformed(name, str(error)) from error


def _require_disjoint(made: list[IntervalSet], fields: Fields) -> None:
    seen = EMPTY
    for intervals in made:
        if seen & intervals:
            raise fields.malformed("former", "two bases claim the same minutes")
        seen = seen | intervals


def _exports(fields: Fields) -> Exports:
    targets = fields.within("backlog")
    return Exports(
        backlog={target: _by_month(targets.within(target)) for target in targets.names},
        digits=fields.optional_digits("digits"),
    )


def _by_month(fields: Fields) -> dict[Month, int]:
    return {_month(name, fields): fields.whole_number(name) for name in fields.names}


def _month(name: object, fields: Fields) -> Month:
    try:
        return Month.parse(str(name))
    except ValueError as error:
        raise fields.malformed(str(name), str(error)) from error
