"""What a simulated exchange lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Market", "parse_symbol", "unique_currencies"]


@dataclass(frozen=True, slots=True)
class Market:
    """A unified symbol as one exchange lists it; digits are those after the decimal point."""

    base: str
    quote: str
    price_digits: int
    amount_digits: int
    kind: Literal["spot", "perpetual"] = "spot"
    active: bool = True

    @property
    def symbol(self) -> str:
        """The unified symbol, `BTC/USD`, or `BTC/USD:USD` of a perpetual."""
        spot = f"{self.base}/{self.quote}"
        return spot if self.kind == "spot" else f"{spot}:{self.quote}"

    @property
    def price_tick(self) -> str:
        """The smallest price step as decimal text, `0.01`."""
        return _step(self.price_digits)

    @property
    def amount_step(self) -> str:
        """The smallest amount step as decimal text, `0.00000001`."""
        return _step(self.amount_digits)


def parse_symbol(text: str) -> tuple[str, str]:
    """`BTC/USD` as `(base, quote)`. ValueError: not of that form."""
    base, slash, quote = text.strip().upper().partition("/")
    if not (slash and base.isalnum() and quote.isalnum()):
        raise ValueError(f"not a symbol of the form BASE/QUOTE: {text!r}")
    return base, quote


def unique_currencies(markets: Iterable[Market]) -> Mapping[str, int]:
    """Every currency of these markets with its finest digits, in order of appearance."""
    digits: dict[str, int] = {}
    for market in markets:
        digits[market.base] = max(digits.get(market.base, 0), market.amount_digits)
        digits[market.quote] = max(digits.get(market.quote, 0), market.price_digits)
    return digits


def _step(digits: int) -> str:
    return "1" if digits == 0 else "0." + "0" * (digits - 1) + "1"
