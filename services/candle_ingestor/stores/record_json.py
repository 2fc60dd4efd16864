"""Coverage records as JSON text, the same in every store. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.stores.base import CoverageRecord

FORMAT_VERSION = 1


class RecordError(ValueError):
    """A text that is no coverage record; the message says where it breaks (rule C4)."""


def encode_record(record: CoverageRecord) -> str:
    """The record as compact JSON; intervals are `[[start_ms, end_ms], ...]`, half-open, ascending.

    Raises:
        ValueError: if the merge rules hold something JSON cannot say.
    """
    fields: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "covered": record.covered.intervals,
        "reasons": {
            reason.value: intervals.intervals for reason, intervals in record.reasons.items()
        },
        "listed_from_ms": record.listed_from_ms,
        "listing_sought_from_ms": record.listing_sought_from_ms,
        "merge_rules": None if record.merge_rules is None else dict(record.merge_rules),
        "former_rules": record.former_rules.intervals,
        "unexported": record.unexported.intervals,
        "export_digits": record.export_digits,
    }
    try:
        return json.dumps(fields, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"a coverage record cannot be kept as JSON: {error}") from error


def decode_record(text: str) -> CoverageRecord:
    """The record that `encode_record` wrote; keys and reasons it does not know are passed over.

    Raises:
        RecordError: if the text is malformed or of a newer format.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RecordError("it is not a JSON object")
    version = fields.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise RecordError(f"'format_version' is {version!r}")
    if version > FORMAT_VERSION:
        raise RecordError(
            f"it has format {version} and this program knows up to {FORMAT_VERSION}; "
            "a newer candle-ingestor wrote it"
        )
    if "covered" not in fields:
        raise RecordError("'covered' is missing")
    return CoverageRecord(
        covered=_intervals(fields["covered"], "covered"),
        reasons=_reasons(fields.get("reasons", {})),
        listed_from_ms=_optional_int(fields.get("listed_from_ms"), "listed_from_ms"),
        listing_sought_from_ms=_optional_int(
            fields.get("listing_sought_from_ms"), "listing_sought_from_ms"
        ),
        merge_rules=_optional_mapping(fields.get("merge_rules"), "merge_rules"),
        former_rules=_intervals(fields.get("former_rules", []), "former_rules"),
        unexported=_intervals(fields.get("unexported", []), "unexported"),
        export_digits=_optional_digits(fields.get("export_digits"), "export_digits"),
    )


def _reasons(value: object) -> dict[GapReason, IntervalSet]:
    if not isinstance(value, dict):
        raise RecordError("'reasons' is not an object")
    found = {name: _intervals(items, f"reasons.{name}") for name, items in value.items()}
    known = {reason.value for reason in GapReason}
    return {GapReason(name): intervals for name, intervals in found.items() if name in known}


def _intervals(value: object, where: str) -> IntervalSet:
    if not isinstance(value, list):
        raise RecordError(f"'{where}' is not a list of intervals")
    for item in value:
        if (
            not isinstance(item, list)
            or len(item) != 2
            or not _is_int(item[0])
            or not _is_int(item[1])
            or item[0] >= item[1]
        ):
            raise RecordError(f"'{where}' holds {_shown(item)}, not [start_ms, end_ms]")
    return IntervalSet(value) if value else EMPTY


def _optional_int(value: object, where: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise RecordError(f"'{where}' is {_shown(value)}, not a whole number")


def _optional_mapping(value: object, where: str) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    raise RecordError(f"'{where}' is {_shown(value)}, not an object")


def _optional_digits(value: object, where: str) -> tuple[int, int] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(map(_is_int, value)):
        return value[0], value[1]
    raise RecordError(f"'{where}' is {_shown(value)}, not [price, volume]")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
