"""Makes sources of candles by the name of their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import CandleSource, FurtherSource
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.model.origins import Origin, Origins
from candle_ingestor.model.series import Series


@dataclass(frozen=True)
class SourceParts:
    """What sources are made from.

    Attributes:
        sessions: of the exchanges that are asked, in flag order.
        now_ms: the clock.
        settle_seconds, refetch_last_candles: those of rules T1 and T2.
    """

    sessions: Sequence[ExchangeSession]
    now_ms: Callable[[], int]
    settle_seconds: float
    refetch_last_candles: int


@dataclass(frozen=True)
class Sources:
    """All sources of one exchange's candles.

    Attributes:
        endpoint: the one that is asked first.
        further: those of what it does not reach, in the order in which they are preferred.
    """

    endpoint: CandleSource
    further: Mapping[Origin, FurtherSource] = field(default_factory=dict)

    def offers(self, series: Series) -> Origins:
        """What the further sources offer of a series."""
        return {origin: source.offers(series) for origin, source in self.further.items()}


def make_source(kind: str, exchange: str, parts: SourceParts) -> CandleSource:
    """The source of that kind of one exchange's candles.

    Raises:
        ConfigurationError: if there is no such kind.
    """
    if kind not in _KINDS:
        raise ConfigurationError(f"'{kind}' is no source of candles; there are {', '.join(_KINDS)}")
    return _KINDS[kind](exchange, parts)


def sources_of(parts: SourceParts) -> dict[str, Sources]:
    """The sources of each exchange that is asked, in flag order."""
    return {
        s.exchange: Sources(make_source(Origin.ENDPOINT, s.exchange, parts)) for s in parts.sessions
    }


def _candle_endpoint(exchange: str, parts: SourceParts) -> CandleSource:
    session = next(each for each in parts.sessions if each.exchange == exchange)
    return CcxtCandles(session, parts.now_ms, parts.settle_seconds, parts.refetch_last_candles)


_KINDS: Mapping[str, Callable[[str, SourceParts], CandleSource]] = {
    Origin.ENDPOINT: _candle_endpoint,
}
"""How a source of each kind is made."""
