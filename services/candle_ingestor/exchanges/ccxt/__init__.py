"""The strict ccxt client of an exchange."""
