"""Records as the first version of the program wrote them, read as far as they can be trusted."""

from __future__ import annotations

from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.stores.record_fields import Fields

_TRUSTED_REASONS = frozenset(GapReason) - {GapReason.NOT_LISTED_YET, GapReason.BELOW_MINIMUM}
"""The first version found the other two by rules that were wrong."""


def record_of_format_1(fields: Fields, series: Series) -> SeriesRecord:
    """What is still true of it.

    A merged series is read as not covered, so that it is merged again from the stored candles of
    its exchanges; every export lacks everything.

    Raises:
        RecordError: if a value is malformed.
    """
    covered = fields.intervals("covered")
    exports = Exports(digits=fields.optional_digits("export_digits"))
    is_merged = series.is_merged or fields.optional_within("merge_rules") is not None
    if is_merged:
        return SeriesRecord(exports=exports)
    return SeriesRecord(coverage=Coverage(covered, reasons=_reasons(fields)), exports=exports)


def _reasons(fields: Fields) -> dict[GapReason, IntervalSet]:
    if not fields.has("reasons"):
        return {}
    reasons = fields.within("reasons")
    found = {name: reasons.intervals(name) for name in reasons.names}
    trusted = {reason.value for reason in _TRUSTED_REASONS}
    return {GapReason(name): found[name] for name in found if name in trusted and found[name]}
