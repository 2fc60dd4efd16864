"""Keeps one trustworthy candle series per symbol, with every minute accounted for."""
