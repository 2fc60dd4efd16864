"""`python -m candle_ingestor`."""

from candle_ingestor.main import entry_point

entry_point()
