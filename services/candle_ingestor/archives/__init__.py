"""Readers of exchanges' published history files. Know files, and nothing of runs."""
