"""Gaps on the screen, of values that the test chooses."""

from io import StringIO

import pytest
from minutes import KRAKEN, MERGED
from rich.console import Console

from candle_ingestor.commands.gaps_table import print_gaps
from candle_ingestor.completeness.gap_list import GapStatus, ListedGap, SeriesGaps
from candle_ingestor.completeness.gap_past import NO_PAST
from candle_ingestor.completeness.remedies import NO_REMEDY
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval


@pytest.mark.parametrize(
    ("status", "is_told"), [(GapStatus.OPEN, True), (GapStatus.PERMANENT, False)]
)
def test_what_only_an_exchange_lacks_is_told_where_its_merged_series_lacks_nothing(
    status: GapStatus, is_told: bool
) -> None:
    gap = Gap(Interval(0, 60_000 * 1440), GapReason.FETCH_FAILED)
    listed = ListedGap(KRAKEN, gap, status, NO_PAST, NO_REMEDY, 1440)
    of_exchange = SeriesGaps(KRAKEN, [listed], [])
    output = StringIO()

    print_gaps([SeriesGaps(MERGED, [], [])], [of_exchange], 0, Console(file=output, width=200))

    told = "What is merged lacks 1,440 fetch_failed candles of kraken; --by_exchange lists them."
    assert "Nothing of what is wanted is missing." in output.getvalue()
    assert (told in output.getvalue()) is is_told
