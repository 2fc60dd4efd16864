"""The page: one HTML file that shows what is stored, with charts. Pure but for reading candles."""
