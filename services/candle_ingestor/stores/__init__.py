"""Where candles, coverage, state and run reports are kept."""
