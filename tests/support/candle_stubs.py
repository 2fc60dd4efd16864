"""The wire format of the candles of every ccxt exchange that has some: a row an exchange.

Each row makes the answer that the exchange would send with given candles, by what ccxt's own source
says of its format. Of the exchanges that the simulator speaks for there is more in its dialects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

MINUTE_MS = 60_000

Time = Callable[[int], Any]


class StubCandle(NamedTuple):
    """A candle as ccxt must read it."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Stub:
    """How an exchange writes candles.

    Attributes:
        row: of one candle.
        answer: of the rows and the market's id.
        market_id: the exchange's own id of the market.
        market: what ccxt knows of the market beside what it knows of any.
    """

    row: Callable[[StubCandle], Any]
    answer: Callable[[list[Any], str], Any] = lambda rows, _: rows
    market_id: str = "BTCUSDT"
    market: Mapping[str, Any] = field(default_factory=dict)

    def body(self, candles: Sequence[StubCandle]) -> Any:
        """The whole answer."""
        return self.answer([self.row(candle) for candle in candles], self.market_id)


def in_ms(time_ms: int) -> int:
    return time_ms


def in_seconds(time_ms: int) -> int:
    return time_ms // 1000


def in_text(time_ms: int) -> str:
    return str(time_ms)


def seconds_in_text(time_ms: int) -> str:
    return str(time_ms // 1000)


def iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spaced(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def listed(order: str, time: Time = in_ms, *, texts: bool = True) -> Callable[[StubCandle], Any]:
    """A row that is a list; a letter a field: t, o, h, l, c, v, q (quote volume), or `.`."""

    def row(candle: StubCandle) -> list[Any]:
        fields = _fields(candle, time, texts)
        return [fields[letter] for letter in order]

    return row


def named(
    names: str, time: Time = in_ms, *, texts: bool = True, **others: Any
) -> Callable[[StubCandle], Any]:
    """A row that is an object: the names of time, open, high, low, close and volume in turn."""
    keys = dict(zip("tohlcv", names.split(), strict=True))

    def row(candle: StubCandle) -> dict[str, Any]:
        fields = _fields(candle, time, texts)
        return {key: fields[letter] for letter, key in keys.items()} | others

    return row


def _fields(candle: StubCandle, time: Time, texts: bool) -> dict[str, Any]:
    numbers = {
        "o": candle.open,
        "h": candle.high,
        "l": candle.low,
        "c": candle.close,
        "v": candle.volume,
        "q": candle.volume * candle.close,
        ".": 0,
    }
    fields: dict[str, Any] = dict(numbers)
    if texts:
        fields = {letter: str(number) for letter, number in numbers.items()}
    return {"t": time(candle.open_ms), **fields}


def under(*keys: str, **others: Any) -> Callable[[list[Any], str], Any]:
    """The rows below these keys of an answer; `others` stand beside the first of them."""

    def answer(rows: list[Any], _: str) -> Any:
        body: Any = rows
        for key in reversed(keys):
            body = {key: body}
        return {**others, **body}

    return answer


def _columns(names: str, *keys: str, time: Time = in_ms) -> Callable[[list[Any], str], Any]:
    """Rows of `listed("tohlcv")` as columns of these names, below the keys."""

    def answer(rows: list[Any], _: str) -> Any:
        values = [*zip(*rows, strict=True)] if rows else [()] * 6
        body: Any = {
            name: [time(v) if name == names.split(maxsplit=1)[0] else v for v in column]
            for name, column in zip(names.split(), values, strict=True)
        }
        for key in reversed(keys):
            body = {key: body}
        return body

    return answer


_WORDS = "open high low close volume"
_BINANCE = Stub(listed("tohlcv.q...."))
_HITBTC = Stub(named("timestamp open max min close volume", iso))
_BYBIT = Stub(listed("tohlcvq", in_text), under("result", "list", retCode=0, retMsg="OK"))
_OKX = Stub(listed("tohlcvq..", in_text), under("data", code="0", msg=""))
_KUCOIN = Stub(listed("tochlvq", seconds_in_text), under("data", code="200000"))
_GATE = Stub(listed("tqchlov.", seconds_in_text))
_UPBIT = Stub(
    named(
        "candle_date_time_utc opening_price high_price low_price trade_price "
        "candle_acc_trade_volume",
        lambda time_ms: iso(time_ms).removesuffix("Z"),
        texts=False,
    ),
    market_id="USDT-BTC",
)
_HUOBI = Stub(
    named("id open high low close amount", in_seconds, texts=False), under("data", status="ok")
)
_CHART = Stub(
    listed("tohlcv", texts=False),
    _columns("ticks open high low close volume", "result"),
)
_ORDERLY = Stub(
    named(f"start_timestamp {_WORDS}", texts=False), under("data", "rows", success=True)
)
_PERPETUAL = {"type": "swap", "spot": False, "swap": True, "contract": True, "linear": True}

STUBS: Mapping[str, Stub] = {
    "alpaca": Stub(
        named("t o h l c v", iso, texts=False),
        lambda rows, market_id: {"bars": {market_id: rows}, "next_page_token": None},
        market_id="BTC/USDT",
    ),
    "apex": Stub(
        named("t o h l c v"),
        lambda rows, market_id: {"data": {market_id: rows}},
        market={**_PERPETUAL, "id2": "BTCUSDT"},
    ),
    "aster": _BINANCE,
    "backpack": Stub(named(f"start {_WORDS}", spaced)),
    "bequant": _HITBTC,
    "bigone": Stub(named(f"time {_WORDS}", iso), under("data", code=0)),
    "binance": _BINANCE,
    "binancecoinm": Stub(
        listed("tohlcq.v...."),
        market={**_PERPETUAL, "linear": False, "inverse": True},
    ),
    "binanceus": _BINANCE,
    "binanceusdm": Stub(_BINANCE.row, market=_PERPETUAL),
    "bingx": Stub(listed("tohlcv.q", texts=False), under("data", code=0, msg="")),
    "bitbank": Stub(
        listed("ohlcvt"),
        lambda rows, _: {"success": 1, "data": {"candlestick": [{"ohlcv": rows}]}},
    ),
    "bitfinex": Stub(listed("tochlv", texts=False)),
    "bitget": Stub(listed("tohlcvqq", in_text), under("data", code="00000", msg="success")),
    "bithumb": Stub(_UPBIT.row),
    "bitopro": Stub(named(f"timestamp {_WORDS}"), under("data")),
    "bitrue": Stub(named("i o h l c v", seconds_in_text), under("data", scale="KLINE_1MIN")),
    "bitso": Stub(
        named("bucket_start_time first_rate max_rate min_rate last_rate volume"),
        under("payload", success=True),
    ),
    "bitstamp": Stub(named(f"timestamp {_WORDS}", seconds_in_text), under("data", "ohlc")),
    "bitteam": Stub(
        named("t o h l c v", in_seconds, texts=False), under("result", "data", ok=True)
    ),
    "bittrade": _HUOBI,
    "bitvavo": Stub(listed("tohlcv")),
    "blofin": Stub(listed("tohlc.vq.", in_text), under("data", code="0"), market=_PERPETUAL),
    "btcmarkets": Stub(listed("tohlcv", iso)),
    "btcturk": Stub(
        listed("tohlcv", texts=False),
        lambda rows, market_id: {
            "s": "ok",
            **_columns("t o h l c v", time=in_seconds)(rows, market_id),
        },
    ),
    "btse": Stub(listed("tohlcq", seconds_in_text), under("data", code=1, success=True)),
    "bullish": Stub(named(f"createdAtTimestamp {_WORDS}", in_text)),
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "bybitid": _BYBIT,
    "bydfi": Stub(named("t o h l c v", in_text), under("data", code=200), market=_PERPETUAL),
    "cex": Stub(named(f"timestamp {_WORDS}", in_text), under("data", ok="ok")),
    "coinbase": Stub(named(f"start {_WORDS}", seconds_in_text), under("candles")),
    "coinbaseexchange": Stub(listed("tlhocv", in_seconds, texts=False)),
    "coinbaseinternational": _CHART,
    "coinsph": _BINANCE,
    "cryptocom": Stub(named("t o h l c v"), under("result", "data", code=0)),
    "deepcoin": Stub(listed("tohlcvq", in_text), under("data", code="0", msg="")),
    "delta": Stub(named(f"time {_WORDS}", in_seconds, texts=False), under("result", success=True)),
    "deribit": _CHART,
    "derive": Stub(
        named("timestamp open_price high_price low_price close_price volume_contracts", in_seconds),
        under("result", id="1"),
    ),
    "digifinex": Stub(listed("tvchlo", in_seconds, texts=False), under("data", code=0)),
    "dydx": Stub(
        named("startedAt open high low close baseTokenVolume", iso),
        under("candles"),
        market=_PERPETUAL,
    ),
    "extended": Stub(named("T o h l c v"), under("data", status="OK"), market=_PERPETUAL),
    "fmfwio": _HITBTC,
    "foxbit": Stub(listed("tohlc.vq...", in_text)),
    "gate": _GATE,
    "gateeu": _GATE,
    "gemini": Stub(listed("tohlcv", texts=False)),
    "grvt": Stub(
        named("open_time open high low close volume_b", lambda time_ms: f"{time_ms}000000"),
        under("result"),
        market=_PERPETUAL,
    ),
    "hashkey": Stub(listed("tohlcv.q...")),
    "hibachi": Stub(
        named("timestamp open high low close volumeNotional", in_seconds),
        under("klines"),
        market=_PERPETUAL,
    ),
    "hitbtc": _HITBTC,
    "hollaex": Stub(named(f"time {_WORDS}", iso, texts=False)),
    "htx": _HUOBI,
    "hyperliquid": Stub(named("t o h l c v")),
    "indodax": Stub(named("Time Open High Low Close Volume", in_seconds, texts=False)),
    "kraken": Stub(
        listed("tohlc.v.", in_seconds),
        lambda rows, market_id: {"error": [], "result": {market_id: rows, "last": "0"}},
    ),
    "krakenfutures": Stub(
        named(f"time {_WORDS}"), under("candles", more_candles=False), market=_PERPETUAL
    ),
    "kucoin": _KUCOIN,
    "kucoinfutures": Stub(
        listed("tohlcv", texts=False), under("data", code="200000"), market=_PERPETUAL
    ),
    "lbank": Stub(
        listed("tohlcv", in_seconds, texts=False), under("data", result="true", error_code=0)
    ),
    "lighter": Stub(named("t o h l c v", texts=False), under("c", code=200), market_id="1"),
    "luno": Stub(named(f"timestamp {_WORDS}"), under("candles", duration=60)),
    "mercado": Stub(
        listed("tohlcv"),
        _columns("t o h l c v", time=in_seconds),
    ),
    "mexc": Stub(listed("tohlcv.q")),
    "modetrade": Stub(_ORDERLY.row, _ORDERLY.answer, market=_PERPETUAL),
    "mudrex": Stub(
        listed("tohlcv", in_seconds, texts=False),
        under("data", "asset_ticks", "btc/usdt", success=True),
        market=_PERPETUAL,
    ),
    "myokx": _OKX,
    "nado": Stub(
        lambda candle: {
            "timestamp": str(candle.open_ms // 1000),
            **{
                name: str(round(value * 10**3) * 10**15)
                for name, value in zip(
                    ("open_x18", "high_x18", "low_x18", "close_x18", "volume"),
                    candle[1:],
                    strict=True,
                )
            },
        },
        under("candlesticks"),
        market_id="1",
    ),
    "ndax": Stub(
        lambda candle: [
            candle.open_ms + MINUTE_MS,
            candle.high,
            candle.low,
            candle.open,
            candle.close,
            candle.volume,
            0,
            0,
            1,
            candle.open_ms,
        ],
        market_id="1",
    ),
    "okx": _OKX,
    "okxus": _OKX,
    "onetrading": Stub(
        named(
            "time open high low close total_amount",
            lambda time_ms: iso(time_ms).replace(":00Z", ":59.999Z"),
            granularity={"unit": "MINUTES", "period": 1},
        ),
        under("candlesticks"),
    ),
    "p2b": Stub(listed("tochlvq.", in_seconds), under("result", success=True)),
    "pacifica": Stub(named("t o h l c v"), under("data", success=True)),
    "paradex": Stub(listed("tohlcv", texts=False), under("results"), market=_PERPETUAL),
    "phemex": Stub(
        lambda candle: [
            candle.open_ms // 1000,
            60,
            0,
            *(round(value * 10**8) for value in candle[1:]),
            0,
        ],
        under("data", "rows", code=0, msg="OK"),
        market={"priceScale": 8, "valueScale": 8, "ratioScale": 8},
    ),
    "poloniex": Stub(
        lambda candle: [
            *map(str, (candle.low, candle.high, candle.open, candle.close)),
            str(candle.volume * candle.close),
            str(candle.volume),
            "0",
            "0",
            1,
            0,
            "0",
            "MINUTE_1",
            candle.open_ms,
            candle.open_ms + MINUTE_MS - 1,
        ]
    ),
    "polymarket": Stub(listed("tohlcv."), under("data", more=False), market=_PERPETUAL),
    "revolutx": Stub(named(f"start {_WORDS}"), under("data", metadata={})),
    "tokocrypto": _BINANCE,
    "toobit": Stub(listed("tohlcv.q...")),
    "upbit": _UPBIT,
    "weex": _BINANCE,
    "whitebit": Stub(listed("tochlvq", in_seconds), under("result", success=True, message="")),
    "woo": Stub(named(f"startTimestamp {_WORDS}"), under("data", "rows", success=True)),
    "woofipro": Stub(_ORDERLY.row, _ORDERLY.answer, market=_PERPETUAL),
    "xt": Stub(named("t o h l c q"), under("result", rc=0, mc="SUCCESS")),
    "zebpay": Stub(listed("tohlcvq", in_text), under("data", statusCode=200)),
}
"""By ccxt exchange id."""
