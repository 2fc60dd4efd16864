"""CoinGecko, a source of daily closing prices, behind the protocol of an exchange's client."""
