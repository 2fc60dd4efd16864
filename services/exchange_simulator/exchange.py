"""One simulated exchange without its HTTP: what it lists, and the pages it answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from exchange_simulator.candles import DAY_MS
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.dialects.base import (
    CandleRequest,
    Dialect,
    Listing,
    Query,
    TradeRequest,
    TradeRow,
)
from exchange_simulator.markets import Market, parse_symbol
from exchange_simulator.recordings import (
    MOST_AMOUNT_DIGITS,
    MOST_PRICE_DIGITS,
    Recording,
    RecordingSource,
)
from exchange_simulator.series import EncodedRows, Series, SeriesCaches
from exchange_simulator.synthetic import SyntheticPrices, SyntheticSource
from exchange_simulator.trades import TradeTape
from exchange_simulator.traits import EXCHANGE_TRAITS, asset_traits

__all__ = ["SimulatedExchange", "TrueCandle", "recorded_exchange", "synthetic_exchange"]


@dataclass(frozen=True, slots=True)
class TrueCandle:
    """What a candle is in the end, exactly as the wire text says."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class SimulatedExchange:
    """A dialect with its markets and their series; `series` lacks what trades no candles."""

    def __init__(
        self,
        dialect: Dialect,
        markets: Sequence[Market],
        series: Mapping[str, Series],
        tapes: Mapping[str, TradeTape],
    ) -> None:
        self.dialect = dialect
        self.markets = tuple(markets)
        self._series = series
        self._tapes = tapes
        self._by_id = {
            market_id: market for market in markets for market_id in dialect.market_ids(market)
        }

    def listing(self, now_ms: int, query: Query) -> Listing:
        """What endpoints and request decoding may know."""
        return Listing(self.markets, self._by_id, self._serves, now_ms, query)

    def rows(self, request: CandleRequest, now_ms: int) -> EncodedRows:
        """The rows a request is answered with, ascending."""
        series = self._series.get(request.market.symbol)
        if series is None:
            return EncodedRows((), ())
        return series.select(request.selection, now_ms)

    def trades(self, request: TradeRequest, now_ms: int) -> list[TradeRow]:
        """The trades a request is answered with, ascending."""
        symbol = request.market.symbol
        if symbol not in self._tapes:
            return []
        tape = self._tapes[symbol]
        if request.since_ns is not None:
            found = tape.after(request.since_ns, request.limit, now_ms)
        else:
            found = tape.before_id(request.before_id, request.limit, now_ms)
        texts = self._series[symbol].format_trades(found.price, found.amount)
        rows = zip(found.time_ns, texts.open, texts.volume, found.id, strict=True)
        return [TradeRow._make(row) for row in rows]

    def true_candles(
        self, symbol: str, timeframe_ms: int, start_ms: int, end_ms: int
    ) -> list[TrueCandle]:
        """The final candles of a symbol that open in `[start_ms, end_ms)`, ascending.

        Whatever the clock says: unfinished and revised candles as they end. Raises KeyError:
        the symbol has no candles here.
        """
        return [
            TrueCandle(open_ms, *map(Decimal, texts))
            for block in self._series[symbol].final_candles(timeframe_ms, start_ms, end_ms)
            for open_ms, *texts in zip(
                block.open_ms,
                block.open,
                block.high,
                block.low,
                block.close,
                block.volume,
                strict=True,
            )
        ]

    def _serves(self, market: Market, timeframe_ms: int) -> bool:
        series = self._series.get(market.symbol)
        return series is None or series.serves(timeframe_ms)


def synthetic_exchange(
    dialect: Dialect,
    config: SimulatorConfig,
    prices: SyntheticPrices,
    caches: SeriesCaches,
    start_ms: int,
) -> SimulatedExchange:
    """The exchange's part of the synthetic market; `start_ms` is the simulator's start."""
    traits = EXCHANGE_TRAITS[dialect.exchange]
    series: dict[str, Series] = {}
    markets: list[Market] = []
    for base, quote in dict.fromkeys(map(parse_symbol, config.symbols)):
        if quote in traits.unlisted_quotes:
            continue
        asset = asset_traits(base)
        market = Market(
            base,
            quote,
            traits.price_digits_of.get(base, asset.price_digits),
            traits.amount_digits_of.get(base, traits.amount_digits),
        )
        first_ms = config.listed_since_ms.get(base, asset.listed_ms)
        if config.synthetic_days is not None:
            first_ms = max(first_ms, (start_ms // DAY_MS - config.synthetic_days) * DAY_MS)
        source = SyntheticSource(
            prices,
            dialect.exchange,
            market,
            dialect.number_texts,
            first_ms=first_ms,
            sends_idle_bars=dialect.sends_idle_bars,
        )
        markets.append(market)
        series[market.symbol] = Series(
            f"{dialect.exchange}|{market.symbol}",
            source,
            dialect.encode_rows,
            caches,
            sends_idle_bars=dialect.sends_idle_bars,
            day_opens_at_ms=dialect.day_opens_at_ms,
        )
    others = [market for market in dialect.other_markets if market.symbol not in series]
    tapes = _tapes(series, prices.seed, caches)
    return SimulatedExchange(dialect, [*markets, *others], series, tapes)


def recorded_exchange(
    dialect: Dialect, recordings: Sequence[Recording], caches: SeriesCaches
) -> SimulatedExchange:
    """The exchange with its recordings as its only markets."""
    series: dict[str, Series] = {}
    markets: list[Market] = []
    for recording in recordings:
        market = Market(
            recording.base,
            recording.quote,
            min(recording.price_digits, MOST_PRICE_DIGITS),
            min(recording.volume_digits, MOST_AMOUNT_DIGITS),
        )
        markets.append(market)
        series[market.symbol] = Series(
            f"{dialect.exchange}|{market.symbol}",
            RecordingSource(recording),
            dialect.encode_rows,
            caches,
            sends_idle_bars=dialect.sends_idle_bars,
            day_opens_at_ms=dialect.day_opens_at_ms,
        )
    return SimulatedExchange(dialect, markets, series, _tapes(series, 0, caches))


def _tapes(series: Mapping[str, Series], seed: int, caches: SeriesCaches) -> dict[str, TradeTape]:
    return {
        symbol: TradeTape(each.name, seed, each, caches.trades) for symbol, each in series.items()
    }
