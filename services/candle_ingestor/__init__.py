"""Keeps one trustworthy candle series per symbol, with every minute accounted for."""

__version__ = "0.1.0"
