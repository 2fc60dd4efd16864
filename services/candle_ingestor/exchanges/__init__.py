"""Exchanges: their habits as rows of data, the ccxt client, retries and availability."""
