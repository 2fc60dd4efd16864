"""Which folders records remember exports to."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.completeness.export_roots import export_roots
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.settle.exporting import target_of

ROOTS = st.sampled_from([Path("/data"), Path("/data (old)"), Path("/a b, c (d)")])
TARGETS = st.tuples(ROOTS, st.sampled_from(ExportFormat), st.sampled_from(Fill))


@given(st.lists(st.lists(TARGETS)))
def test_every_root_is_named_once_whatever_was_written_there(exported: list[list]) -> None:
    records = [
        SeriesRecord(exports=Exports({target_of(*target): {} for target in targets}))
        for targets in exported
    ]

    assert export_roots(records) == sorted({str(root) for each in exported for root, *_ in each})
