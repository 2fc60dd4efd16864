"""Makes the sources of candles that a run reads."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.archive_source import ArchiveCandles, ArchiveIndex
from candle_ingestor.ingest.sources.base import CandleSource, FurtherSource
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.ingest.sources.trades_source import TradeCandles
from candle_ingestor.model.origins import Origin, Origins
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import some_of

log = logging.getLogger(__name__)

_MOST_KINDS_NAMED = 5


@dataclass(frozen=True)
class SourceParts:
    """What sources are made from.

    Attributes:
        sessions: of the exchanges that are asked, in flag order.
        now_ms: the clock.
        settle_seconds, refetch_last_candles: those of rules T1 and T2.
        builds_from_trades: whether candles that an endpoint does not reach are built from trades.
        archives: exchanges' history files, which go before trades; None without any.
    """

    sessions: Sequence[ExchangeSession]
    now_ms: Callable[[], int]
    settle_seconds: float
    refetch_last_candles: int
    builds_from_trades: bool = False
    archives: ArchiveIndex | None = None


def source_parts(
    config: Config, sessions: Sequence[ExchangeSession], now_ms: Callable[[], int]
) -> SourceParts:
    """What the configuration says that sources are made from.

    Raises:
        ConfigurationError: if the folder of archives cannot be looked into.
    """
    candles, archives = config.candles, config.archives
    index = None
    if archives.folder is not None:
        try:
            index = ArchiveIndex.of_folder(
                archives.folder,
                archives.naming,
                now_ms,
                candles.settle_seconds,
                skips_bad_rows=archives.skips_bad_rows,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"--archive_dir: {error}") from error
        _say_what_is_there(index, archives.folder, config)
    return SourceParts(
        sessions,
        now_ms,
        candles.settle_seconds,
        candles.refetch_last_candles,
        candles.builds_from_trades,
        index,
    )


def _say_what_is_there(index: ArchiveIndex, folder: Path, config: Config) -> None:
    timeframe, exchanges = config.candles.timeframe, config.exchanges.names
    counts: Counter[str] = Counter()
    can_serve = False
    for series, files in index.files.items():
        counts[f"{series.exchange} {series.timeframe}"] += len(files)
        can_serve |= series.exchange in exchanges and series.timeframe == timeframe
    if can_serve:
        held = ", ".join(f"{count:,} of {whose}" for whose, count in sorted(counts.items()))
        log.info("History files in %s: %s", folder, held)
    elif counts:
        wanted = f"{timeframe} candles of {' or '.join(exchanges)}"
        held = some_of(sorted(counts), _MOST_KINDS_NAMED)
        log.warning("--archive_dir: no file in %s has %s; they are of %s", folder, wanted, held)
    else:
        log.warning("--archive_dir: no file of candles is in %s", folder)


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


def sources_of(parts: SourceParts) -> dict[str, Sources]:
    """The sources of each exchange that is asked, in flag order."""
    return {session.exchange: _sources_of(session, parts) for session in parts.sessions}


def _sources_of(session: ExchangeSession, parts: SourceParts) -> Sources:
    endpoint = CcxtCandles(session, parts.now_ms, parts.settle_seconds, parts.refetch_last_candles)
    made = {origin: make(session, parts) for origin, make in _FURTHER.items()}
    return Sources(endpoint, {o: source for o, source in made.items() if source is not None})


def _archives(session: ExchangeSession, parts: SourceParts) -> FurtherSource | None:
    if parts.archives is None:
        return None
    return ArchiveCandles(session.exchange, parts.archives, session.stop.is_set)


def _trades(session: ExchangeSession, parts: SourceParts) -> FurtherSource | None:
    if not parts.builds_from_trades or session.trade_habits is None:
        return None
    return TradeCandles(session, parts.now_ms, parts.settle_seconds, parts.refetch_last_candles)


_FURTHER: Mapping[Origin, Callable[[ExchangeSession, SourceParts], FurtherSource | None]] = {
    Origin.ARCHIVE: _archives,
    Origin.TRADES: _trades,
}
"""How a further source of each kind is made, None where it is not to be had; preferred first."""
