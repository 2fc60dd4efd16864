"""Volume-weighted merging of exchanges' candles. Pure, no I/O, no clock (rules M1 to M6, M10)."""
