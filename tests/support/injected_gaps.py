"""Time that an exchange of the simulator answers badly, span by span."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from exchange_simulator import ExchangeSimulator
from exchange_simulator.dialects.base import ApiError, CandleRequest
from exchange_simulator.exchange import SimulatedExchange
from exchange_simulator.faults import change_row
from exchange_simulator.series import EncodedRows

MINUTE_MS = 60_000

Span = tuple[int, int]


class Ill(StrEnum):
    """How an exchange answers for a span: with rows that are no candles, with what is no page, or
    with little, and with something else each time."""

    BAD_ROWS = "bad_rows"
    NO_PAGE = "no_page"
    CUT = "cut"


class IllExchange:
    """Answers of one market of a simulated exchange, spoilt for some spans until it is healed.

    A request for a whole span, or for what is before it too, is one for the first span that ends
    after its second candle: spans stand far enough apart.
    """

    def __init__(self, simulator: ExchangeSimulator, exchange: str, symbol: str) -> None:
        self._exchange: SimulatedExchange = simulator.exchanges[exchange]
        self._symbol = symbol
        self._rows = self._exchange.rows
        self._spans: list[tuple[Span, Ill]] = []
        self._asked: Counter[Span] = Counter()
        self._exchange.rows = self._answer  # type: ignore[method-assign]

    def spoil(self, spans: Sequence[tuple[Span, Ill]]) -> None:
        """Answers these spans so from now on, and all others truly."""
        self._spans = sorted(spans)

    def _answer(self, request: CandleRequest, now_ms: int) -> EncodedRows:
        rows = self._rows(request, now_ms)
        selection = request.selection
        if request.market.symbol != self._symbol or selection.timeframe_ms != MINUTE_MS:
            return rows
        first_ms = selection.first_ms or 0
        for span, ill in self._spans:
            if span[1] > first_ms + MINUTE_MS:
                if ill is Ill.NO_PAGE:
                    raise ApiError(200, "out of order")
                if ill is Ill.CUT:
                    self._asked[span] += 1
                    shown = self._asked[span] % 2
                    return EncodedRows(rows.open_ms[:shown], rows.texts[:shown])
                break
        bad = [span for span, ill in self._spans if ill is Ill.BAD_ROWS]
        texts = [
            self._broken(text) if any(start <= time < end for start, end in bad) else text
            for time, text in zip(rows.open_ms, rows.texts, strict=True)
        ]
        return EncodedRows(rows.open_ms, texts)

    def _broken(self, text: str) -> str:
        fields = self._exchange.dialect.row_fields

        def negate(row: Any) -> None:
            row[fields.close] = (
                f"-{row[fields.close]}" if isinstance(row[fields.close], str) else -1
            )

        return change_row(text, negate)
