"""What to do about a gap: a command to copy, or files to get. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from candle_ingestor.archives.publications import Publication, publications_of
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import HighLow
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.model.times import iso_text


@dataclass(frozen=True)
class Remedy:
    """What fills a gap.

    Attributes:
        command: a line to copy; None where there is none.
        files: published files that have it; the command takes them in once they are there.
    """

    command: str | None = None
    files: tuple[Publication, ...] = ()

    @property
    def exists(self) -> bool:
        return self.command is not None or bool(self.files)


NO_REMEDY = Remedy()

_DEFAULT_DEVIATION_PCT = 5


def remedy_of(ledger: Ledger, series: Series, gap: Gap) -> Remedy:
    """What fills the gap; NO_REMEDY where nothing does."""
    merged = series if series.is_merged else _made_of(ledger, series)
    merging = None if merged is None else ledger.record(merged).merging
    basis = None if merging is None else merging.basis
    if gap.reason is GapReason.NOT_LISTED_YET:
        return NO_REMEDY
    if gap.reason in (GapReason.BEYOND_REACH, GapReason.BELOW_MINIMUM):
        sources = (series,) if basis is None or not series.is_merged else basis.sources
        files = _files(ledger, sources, gap)
        if files:
            symbols = dict.fromkeys(str(file.series.symbol) for file in files)
            return Remedy(f"candle-ingestor import FOLDER --symbols={','.join(symbols)}", files)
        if any(
            source.exchange in TRADE_HABITS and _beyond(ledger, source, gap) for source in sources
        ):
            return Remedy(f"{_run_again(ledger, merged or series, basis)} --build_from_trades")
        if gap.reason is GapReason.BELOW_MINIMUM and basis and basis.rules.min_exchanges > 1:
            lower = basis.rules.min_exchanges - 1
            return Remedy(
                f"candle-ingestor merge --symbols={series.symbol} "
                f"--min_exchanges_required={lower}{_length(series)}"
            )
        return NO_REMEDY
    return Remedy(_run_again(ledger, merged or series, basis))


def _run_again(ledger: Ledger, series: Series, basis: MergeBasis | None) -> str:
    """The last run of a series again, by the same rules."""
    wanted = ledger.record(series).wanted
    words = ["candle-ingestor"]
    if basis is None:
        words.append(f"--exchanges={series.exchange}")
    else:
        rules = basis.rules
        words.append(f"--exchanges={','.join(rules.exchanges)}")
        if rules.min_exchanges != len(rules.exchanges):
            words.append(f"--min_exchanges_required={rules.min_exchanges}")
        if rules.max_price_deviation_pct != _DEFAULT_DEVIATION_PCT:
            words.append(f"--max_price_deviation_pct={rules.max_price_deviation_pct:g}")
        if rules.high_low is not HighLow.WEIGHTED:
            words.append(f"--high_low={rules.high_low.value}")
        if rules.quote_aliases:
            words.append(f"--quote_aliases={','.join(map(':'.join, rules.quote_aliases))}")
    words.append(f"--symbols={series.symbol}")
    if wanted is not None:
        words.append(f"--backfill_start_date={iso_text(wanted.from_ms)[:16]}")
        if wanted.until_ms is not None:
            words.append(f"--backfill_end_date={iso_text(wanted.until_ms)[:16]}")
    return " ".join(words) + _length(series)


def _length(series: Series) -> str:
    minutes = series.timeframe.minutes
    return "" if minutes == 1 else f" --candle_granularity_minutes={minutes}"


def _made_of(ledger: Ledger, source: Series) -> Series | None:
    return min(ledger.dependents(source), default=None)


def _beyond(ledger: Ledger, source: Series, gap: Gap) -> IntervalSet:
    beyond = ledger.record(source).coverage.reasons.get(GapReason.BEYOND_REACH, EMPTY)
    return beyond & IntervalSet((gap.interval,))


def _files(ledger: Ledger, sources: tuple[Series, ...], gap: Gap) -> tuple[Publication, ...]:
    return tuple(
        publication
        for source in sources
        for publication in publications_of(source, _beyond(ledger, source, gap))
    )
