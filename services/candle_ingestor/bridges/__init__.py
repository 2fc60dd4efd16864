"""Candles in the files that backtesters read: a module a tool. Knows no store."""
