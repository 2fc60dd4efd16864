"""The list of published files that have what exchanges no longer answer, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from candle_ingestor.archives.publications import Publication
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.writable import write_named_file

HEADER = (
    *("exchange", "symbol", "timeframe", "file", "archive", "page"),
    *("start", "end", "candles", "published_from"),
)


def write_download_list(downloads: Iterable[Publication], path: Path) -> None:
    """Writes a row a file under HEADER, whole or not at all; the header alone where none is needed.

    Raises:
        ConfigurationError: if the path cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(
        (
            each.series.exchange,
            each.series.symbol,
            each.series.timeframe,
            each.file,
            each.archive,
            each.page,
            iso_text(each.missing.start_ms),
            iso_text(each.missing.end_ms),
            each.candles,
            iso_text(each.published_from_ms),
        )
        for each in downloads
    )
    write_named_file("--download_list_path", path, text.getvalue())
