"""The domain's values: time, symbols, series, intervals and candles. Pure, no I/O, no clock."""
