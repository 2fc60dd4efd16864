"""What in stored candles looks wrong: rules that find, and never correct."""
