"""Coarser candles made of finer ones. Pure, no I/O, no clock."""
