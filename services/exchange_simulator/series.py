"""One exchange's candles of one market: picks the rows of a request, as they look now."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from exchange_simulator.cache import RowBudgetCache
from exchange_simulator.candles import (
    DAY_MS,
    Candle,
    Columns,
    aggregate,
    candle_as_of,
    floor_ms,
    merge_candles,
)
from exchange_simulator.sources import CandleSource, TextColumns

__all__ = ["EncodeRows", "EncodedRows", "Selection", "Series", "SeriesCaches"]

EncodeRows: TypeAlias = Callable[[TextColumns, int], list[str]]
"""`(rows, timeframe_ms)` to one JSON text a row."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The candles a request asks for: open times `first_ms` to `last_ms`, both included.

    Of more than `limit` rows in that range the oldest are meant, or the newest.
    """

    timeframe_ms: int
    first_ms: int | None = None
    last_ms: int | None = None
    limit: int | None = None
    newest: bool = False


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as JSON texts with their open times, ascending."""

    open_ms: Sequence[int]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.open_ms)


@dataclass(frozen=True, slots=True)
class SeriesCaches:
    """Prepared days, shared by all series so that memory is bounded in all."""

    columns: RowBudgetCache[Columns]
    encoded: RowBudgetCache[EncodedRows]
    trades: RowBudgetCache[Any]  # TradeColumns, which are made of candles

    @classmethod
    def of_default_size(cls) -> "SeriesCaches":
        """About 100 MB when full."""
        return cls(RowBudgetCache(200_000), RowBudgetCache(300_000), RowBudgetCache(500_000))


class Series:
    """Final candles come from prepared days; those still open or revised are made per request."""

    def __init__(
        self,
        name: str,
        source: CandleSource,
        encode_rows: EncodeRows,
        caches: SeriesCaches,
        *,
        sends_idle_bars: bool,
        day_opens_at_ms: int = 0,
    ) -> None:
        self.name = name
        self._source = source
        self._encode_rows = encode_rows
        self._caches = caches
        self._sends_idle_bars = sends_idle_bars
        self._day_opens_at_ms = day_opens_at_ms

    def serves(self, timeframe_ms: int) -> bool:
        """Whether the timeframe aggregates from the base one and divides a day."""
        return timeframe_ms % self._source.timeframe_ms == 0 and DAY_MS % timeframe_ms == 0

    @property
    def base_timeframe_ms(self) -> int:
        """The timeframe that all others aggregate from."""
        return self._source.timeframe_ms

    def bounds_ms(self, now_ms: int) -> tuple[int, int]:
        """From when to when something may have been traded by now."""
        source = self._source
        if source.last_ms is None:
            return source.first_ms, now_ms
        return source.first_ms, min(now_ms, source.last_ms + source.timeframe_ms)

    def base_candles(self, day: int) -> Iterator[Candle]:
        """The final candles of a UTC day in the base timeframe, as scaled integers."""
        return self._columns(day).between(day * DAY_MS, (day + 1) * DAY_MS)

    def format_trades(self, price: Sequence[int], amount: Sequence[int]) -> TextColumns:
        """Prices and amounts in wire text, as `open` and `volume`."""
        return self._source.format(Columns(price, price, price, price, price, amount))

    def select(self, selection: Selection, now_ms: int) -> EncodedRows:
        """The rows of a selection as the exchange shows them at `now_ms`, ascending."""
        timeframe_ms = selection.timeframe_ms
        bounds = self._bounds(selection, now_ms)
        if bounds is None:
            return EncodedRows((), ())
        first_ms, last_ms = bounds
        edge_ms = self._floor(now_ms - self._source.revision_ms, timeframe_ms)
        live = self._live_rows(timeframe_ms, max(first_ms, edge_ms), last_ms, now_ms)
        final = _Gathered(selection.limit)
        if selection.newest:
            final.take_newest(live)
            for day in _days_down(first_ms, min(last_ms, edge_ms - 1)):
                if final.full:
                    break
                final.take_newest(self._final_rows(timeframe_ms, day, first_ms, last_ms, edge_ms))
            return final.rows()
        for day in _days_up(first_ms, min(last_ms, edge_ms - 1)):
            if final.full:
                break
            final.take_oldest(self._final_rows(timeframe_ms, day, first_ms, last_ms, edge_ms))
        final.take_oldest(live)
        return final.rows()

    def final_candles(self, timeframe_ms: int, start_ms: int, end_ms: int) -> list[TextColumns]:
        """What the candles opening in `[start_ms, end_ms)` are once closed and revised.

        In wire text, one block a day: the truth that a test compares with.
        """
        bounds = self._bounds(Selection(timeframe_ms, start_ms, end_ms - 1), end_ms)
        if bounds is None:
            return []
        return [
            _cut_texts(self._final_texts(timeframe_ms, day), bounds[0], bounds[1])
            for day in _days_up(*bounds)
        ]

    def _bounds(self, selection: Selection, now_ms: int) -> tuple[int, int] | None:
        timeframe_ms, source = selection.timeframe_ms, self._source
        first_ms = self._floor(source.first_ms, timeframe_ms)
        if selection.first_ms is not None:
            next_ms = self._floor(selection.first_ms + timeframe_ms - 1, timeframe_ms)
            first_ms = max(first_ms, next_ms)
        last_ms = now_ms
        if selection.last_ms is not None:
            last_ms = min(last_ms, selection.last_ms)
        if source.last_ms is not None:
            last_ms = min(last_ms, source.last_ms)
        last_ms = self._floor(last_ms, timeframe_ms)
        return (first_ms, last_ms) if first_ms <= last_ms else None

    def _final_rows(
        self, timeframe_ms: int, day: int, first_ms: int, last_ms: int, edge_ms: int
    ) -> EncodedRows:
        encoded = self._caches.encoded.get_or_make(
            (self.name, timeframe_ms, day), lambda: self._encode_day(timeframe_ms, day)
        )
        low = bisect_left(encoded.open_ms, first_ms)
        high = min(bisect_right(encoded.open_ms, last_ms), bisect_left(encoded.open_ms, edge_ms))
        return EncodedRows(encoded.open_ms[low:high], encoded.texts[low:high])

    def _encode_day(self, timeframe_ms: int, day: int) -> EncodedRows:
        texts = self._final_texts(timeframe_ms, day)
        return EncodedRows(texts.open_ms, self._encode_rows(texts, timeframe_ms))

    def _final_texts(self, timeframe_ms: int, day: int) -> TextColumns:
        if timeframe_ms == self._source.timeframe_ms:
            return self._source.texts(day)
        shift_ms = self._shift_ms(timeframe_ms)
        if not shift_ms:
            return self._source.format(aggregate(self._columns(day), timeframe_ms))
        start_ms = day * DAY_MS + shift_ms
        parts = Columns.of(list(self._between(start_ms, start_ms + DAY_MS)))
        return self._source.format(aggregate(parts, timeframe_ms, shift_ms))

    def _between(self, start_ms: int, end_ms: int) -> Iterator[Candle]:
        for day in _days_up(start_ms, end_ms - 1):
            yield from self._columns(day).between(start_ms, end_ms)

    def _shift_ms(self, timeframe_ms: int) -> int:
        return self._day_opens_at_ms if timeframe_ms == DAY_MS else 0

    def _floor(self, time_ms: int, timeframe_ms: int) -> int:
        return floor_ms(time_ms, timeframe_ms, self._shift_ms(timeframe_ms))

    def _columns(self, day: int) -> Columns:
        return self._caches.columns.get_or_make((self.name, day), lambda: self._source.columns(day))

    def _live_rows(
        self, timeframe_ms: int, first_ms: int, last_ms: int, now_ms: int
    ) -> EncodedRows:
        candles: list[Candle] = []
        for open_ms in range(first_ms, last_ms + 1, timeframe_ms):
            parts = list(self._parts_as_of(open_ms, timeframe_ms, now_ms))
            if parts:
                candles.append(merge_candles(open_ms, parts))
        if not candles:
            return EncodedRows((), ())
        texts = self._source.format(Columns.of(candles))
        return EncodedRows(texts.open_ms, self._encode_rows(texts, timeframe_ms))

    def _parts_as_of(self, open_ms: int, timeframe_ms: int, now_ms: int) -> Iterator[Candle]:
        source = self._source
        end_ms = min(open_ms + timeframe_ms, now_ms + 1)
        for final in self._between(open_ms, end_ms):
            candle = candle_as_of(
                final,
                source.timeframe_ms,
                now_ms,
                revision_ms=source.revision_ms,
                price_quantum=source.price_quantum,
                volume_quantum=source.volume_quantum,
            )
            if candle.volume > 0 or final.volume <= 0 or self._sends_idle_bars:
                yield candle


class _Gathered:
    """Rows collected from one end until there are enough."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._open_ms: list[int] = []
        self._texts: list[str] = []

    @property
    def full(self) -> bool:
        return self._limit is not None and len(self._texts) >= self._limit

    def take_oldest(self, rows: EncodedRows) -> None:
        room = None if self._limit is None else self._limit - len(self._texts)
        self._open_ms += rows.open_ms[:room]
        self._texts += rows.texts[:room]

    def take_newest(self, rows: EncodedRows) -> None:
        start = 0
        if self._limit is not None:
            start = max(0, len(rows) - (self._limit - len(self._texts)))
        self._open_ms[:0] = rows.open_ms[start:]
        self._texts[:0] = rows.texts[start:]

    def rows(self) -> EncodedRows:
        return EncodedRows(self._open_ms, self._texts)


def _cut_texts(texts: TextColumns, first_ms: int, last_ms: int) -> TextColumns:
    low, high = bisect_left(texts.open_ms, first_ms), bisect_right(texts.open_ms, last_ms)
    return TextColumns(
        texts.open_ms[low:high],
        texts.open[low:high],
        texts.high[low:high],
        texts.low[low:high],
        texts.close[low:high],
        texts.volume[low:high],
    )


def _days_up(first_ms: int, last_ms: int) -> range:
    return range(first_ms // DAY_MS, last_ms // DAY_MS + 1)


def _days_down(first_ms: int, last_ms: int) -> range:
    return range(last_ms // DAY_MS, first_ms // DAY_MS - 1, -1)
