"""Makes the sample markets of this folder: `.venv/bin/python -P tests/data/make_samples.py`.

Invented markets in the form of recordings, with what real ones have: idle minutes, that some
exchanges leave out and others send flat; a hole; a bad print; quotes that part; a paging fault of
the collector; numbers with exponents and float noise. Nothing in them was ever traded.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from random import Random

HEADER = "timestamp_ms,open,high,low,close,volume"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

IsLeftOut = Callable[[int], bool]


@dataclass(frozen=True)
class Span:
    """Candle lengths from a start on."""

    start: str
    step_ms: int
    count: int

    @property
    def start_ms(self) -> int:
        return int(datetime.fromisoformat(self.start).replace(tzinfo=UTC).timestamp() * 1000)


MINUTES = Span("2024-08-05", MINUTE_MS, 2 * 1440)
HOURS = Span("2024-08-15", HOUR_MS, 35 * 24)


@dataclass(frozen=True)
class Recorded:
    """One file. Shares are of candle lengths, places are counted from the span's start.

    Attributes:
        bias_bps: of all prices, by place.
        is_left_out: of places whose candle the file lacks whatever was traded.
        bad_print: the place of a candle with a high 1.2 times too high.
    """

    name: str
    price_cents: int
    idle_share: float
    sends_idle: bool = False
    bias_bps: Callable[[int], int] = lambda _: 0
    is_left_out: IsLeftOut = lambda _: False
    bad_print: int | None = None
    noisy_volumes: bool = False


def _depeg(place: int) -> int:
    """How far tether parts from the dollar: up to 3 % around the first midnight."""
    return max(0, 300 - abs(place - 1440))


BTC, ETH = 6_000_000, 260_000
LONELY_PRINT = 1440 + 14 * 60 + 24
MINUTE_FILES = (
    Recorded(
        "coinbase_BTC-USD",
        BTC,
        0.02,
        is_left_out=lambda place: 1020 <= place < 1117,
        noisy_volumes=True,
    ),
    Recorded("kraken_BTC-USD", BTC, 0.05, bias_bps=lambda _: -1),
    Recorded("binanceus_BTC-USD", BTC, 0.3, sends_idle=True, bad_print=700),
    Recorded("cryptocom_BTC-USD", BTC, 0.0, is_left_out=lambda place: place % 301 == 300),
    Recorded("binance_BTC-USDT", BTC, 0.0, bias_bps=_depeg),
    Recorded("binanceus_BTC-USDT", BTC, 0.3, sends_idle=True, bias_bps=_depeg),
    Recorded("coinbase_BTC-USDT", BTC, 0.45, bias_bps=_depeg),
    Recorded("binanceus_BTC-USDC", BTC, 0.3, sends_idle=True, bad_print=LONELY_PRINT),
    Recorded("kraken_BTC-USDC", BTC, 0.5, is_left_out=lambda place: place == LONELY_PRINT),
)
HOUR_FILES = (
    Recorded("coinbasepro_BTC-USD", BTC, 0.004),
    Recorded("kraken_BTC-USD", BTC, 0.002),
    Recorded("coinbasepro_ETH-USD", ETH, 0.01),
    Recorded("kraken_ETH-USD", ETH, 0.005),
)


def rows(recorded: Recorded, span: Span) -> Iterator[str]:
    """The lines of a file below its header."""
    base = recorded.name.partition("_")[2].partition("-")[0]
    path = _price_path(base, recorded.price_cents, span.count)
    random = Random(recorded.name).random
    close = path[0]
    for place in range(span.count):
        factor = 10_000 + recorded.bias_bps(place)
        is_idle = random() < recorded.idle_share and place not in (0, recorded.bad_print)
        if is_idle:
            prices, volume = [close] * 4, "0"
        else:
            opened = path[place] * factor // 10_000 + _few_steps(random, 4)
            close = path[place + 1] * factor // 10_000 + _few_steps(random, 4)
            high = max(opened, close) + _few_steps(random, 5)
            if place == recorded.bad_print:
                high = high * 12 // 10
            low = min(opened, close) - _few_steps(random, 5)
            prices, volume = [opened, high, low, close], _volume(recorded, random)
        if (is_idle and not recorded.sends_idle) or recorded.is_left_out(place):
            continue
        texts = (_decimal_text(price) for price in prices)
        yield ",".join((str(span.start_ms + place * span.step_ms), *texts, volume))


def text_of(lines: Iterable[str]) -> str:
    """A whole file."""
    return "\n".join((HEADER, *lines, ""))


def write_all(folder: Path) -> None:
    """Writes every sample file below `folder`."""
    for name, span, files in (
        ("market_minutes", MINUTES, MINUTE_FILES),
        ("market_hours", HOURS, HOUR_FILES),
    ):
        (folder / name).mkdir(exist_ok=True)
        for recorded in files:
            content = gzip.compress(text_of(rows(recorded, span)).encode(), mtime=0)
            (folder / name / f"{recorded.name}.csv.gz").write_bytes(content)


def _few_steps(random: Callable[[], float], most: int) -> int:
    # Of 50 cents, so that the files stay small.
    return 50 * int((most + 1) * random())


def _price_path(base: str, start: int, count: int) -> list[int]:
    random = Random(base).random
    steps = (50 * int(start * (random() - 0.5) / 50_000) for _ in range(count))
    return list(accumulate(steps, initial=start))


def _volume(recorded: Recorded, random: Callable[[], float]) -> str:
    share = random()
    units = 1 + int(5_000 * share * share * share)
    if recorded.noisy_volumes and share < 0.1:
        # As floats are written: 5e-06, 0.30000000000000004.
        return repr(5e-6) if share < 0.02 else repr(0.1 * units + 0.2)
    return _decimal_text(units, 3)


def _decimal_text(units: int, digits: int = 2) -> str:
    return str(Decimal(units).scaleb(-digits))


if __name__ == "__main__":
    write_all(Path(__file__).parent)
