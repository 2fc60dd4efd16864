"""What fetching asks of a source of candles."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.session import RequestCounts
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.gaps import GapReason, Reasons
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.timeframe import Timeframe


@dataclass
class SourceCounts(RequestCounts):
    """What reading cost, how many rows were rejected, and why the newest of them was."""

    rejected: int = 0
    last_rejection: str | None = None


@dataclass(frozen=True)
class Known:
    """What is known of a series before an interval of it is read.

    Attributes:
        last_open_ms: open time of the newest stored candle before the interval, however far back.
        provisional: what was read before and is to be read again.
        listing: when its history begins, as far as that was looked for.
        has_candles: whether candles of the series were shown before, at whatever time.
    """

    last_open_ms: int | None = None
    provisional: IntervalSet = EMPTY
    listing: Listing = field(default_factory=Listing)
    has_candles: bool = False


@dataclass(frozen=True)
class Page:
    """What a source vouches for (rule C2).

    Attributes:
        done: the piece of the interval that needs no further request in this run; pages of an
            interval are ascending and leave nothing out.
        candles: closed candles within `answered`, columns EXCHANGE_CANDLES, ascending.
        answered: what becomes coverage. It may begin before `done`, at a candle shown once more.
        provisional: the part of `answered` that is to be asked once more (rule T2).
        reasons: why the rest of `done` stays open.
        failure: what kept a part of `done` from being answered, if anything did.
        listing: what was learnt of the listing; None for nothing new.
        origin: the kind of the source.
    """

    done: Interval
    candles: pl.DataFrame
    answered: IntervalSet
    provisional: IntervalSet = EMPTY
    reasons: Reasons = field(default_factory=dict)
    failure: ExchangeError | None = None
    listing: Listing | None = None
    origin: Origin = Origin.ENDPOINT


def failed_page(
    series: Series, done: Interval, error: ExchangeError, origin: Origin = Origin.ENDPOINT
) -> Page:
    """The page of a piece that was not answered; all of it stays open (rule C2)."""
    return Page(
        done,
        no_candles(series),
        EMPTY,
        reasons={GapReason.FETCH_FAILED: IntervalSet((done,))},
        failure=error,
        origin=origin,
    )


class CandleSource(Protocol):
    """One exchange's candles, from wherever they come."""

    @property
    def exchange(self) -> str: ...

    @property
    def origin(self) -> Origin:
        """Its kind; every page that it yields names it."""

    @property
    def is_paced(self) -> bool:
        """Whether reading it takes requests to the exchange."""

    @property
    def page_candles(self) -> int:
        """How many candles a full page has."""

    @property
    def refusal(self) -> ExchangeError | None:
        """Why nothing more is asked of the source in this run, if that is so."""

    @property
    def timeframes(self) -> Sequence[str]:
        """What it has candles of, as `str(timeframe)` names them."""

    def seconds_per_request(self) -> float:
        """The least time between two requests at the configured pace."""

    def reach_start_ms(self, timeframe: Timeframe) -> int | None:
        """Where its history begins now, with a margin; None without a limit."""

    def pages(
        self, series: Series, interval: Interval, known: Known, counts: SourceCounts
    ) -> AsyncGenerator[Page]:
        """The pages of the interval, ascending, until its end or until the run is to stop.

        A page that failed is yielded with its failure, and the next one is asked for.
        """


class FurtherSource(CandleSource, Protocol):
    """A source of what an exchange's candle endpoint does not reach.

    What is paced is asked after all that the endpoint is asked for.
    """

    def offers(self, series: Series) -> IntervalSet:
        """What it may have of the series; what is in doubt is offered."""
