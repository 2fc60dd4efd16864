"""Why an archive file cannot be read."""

from __future__ import annotations

from candle_ingestor.errors import CandleIngestorError


class ArchiveError(CandleIngestorError):
    """A file that cannot be used; permanent. The message names the file and says what to do."""


class NotACandleFileError(ArchiveError):
    """A file of which nothing says that it holds candles that can be kept; it is passed over."""
