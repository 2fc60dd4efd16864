"""What to do about a gap: a command to copy, or files to get. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from candle_ingestor.archives.publications import Publication, publications_of
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.merge_rules import HighLow
from candle_ingestor.model.series import AGGREGATED, Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.model.times import iso_text
from candle_ingestor.settle.derived import merged_of, root_of


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

    def can_be_done(self, now_ms: int) -> bool:
        """Whether there is anything to do by now: files that are all awaited yet are nothing."""
        return self.exists and self.awaited_ms(now_ms) is None

    def awaited_ms(self, now_ms: int) -> int | None:
        """When the first of its files is published, where none is by now; None where one is."""
        first_ms = min((each.published_from_ms for each in self.files), default=now_ms)
        return first_ms if first_ms > now_ms else None


NO_REMEDY = Remedy()


@dataclass(frozen=True)
class Place:
    """What the commands of remedies say of the store that they are for.

    Attributes:
        flags: at the end of every command, what names the store and where it is exported to.
        only_command: the one command that may fill the store, which stands for every remedy: a
            demo's, since any other would put candles of real exchanges among simulated ones.
    """

    flags: Sequence[str] = ()
    only_command: str | None = None

    def told(self, remedy: Remedy) -> Remedy:
        """The remedy for this store."""
        if remedy.command is None:
            return remedy
        if self.only_command is not None:
            return Remedy(self.only_command)
        return replace(remedy, command=" ".join((remedy.command, *self.flags)))


USUAL_PLACE = Place()

_DEFAULT_DEVIATION_PCT = 5


class Remedies:
    """What fills the gaps of one series of the store of `place`."""

    def __init__(self, ledger: Ledger, series: Series, place: Place = USUAL_PLACE) -> None:
        # What a coarser candle lacks, the candles lack that it is put together from.
        series = root_of(ledger, series)
        merged = series if series.is_merged else _made_of(ledger, series)
        merging = None if merged is None else ledger.record(merged).merging
        basis = None if merging is None else merging.basis
        sources = (series,) if basis is None or not series.is_merged else basis.sources
        self._place = place
        self._run_again = self._from_trades = NO_REMEDY
        if _is_asked(ledger, series, basis):
            again = _run_again(ledger, merged or series, basis)
            self._run_again = place.told(Remedy(again))
            self._from_trades = place.told(Remedy(f"{again} --build_from_trades"))
        self._by_fewer = place.told(_merge_by_fewer(series, basis))
        self._mergeable_by_fewer = _mergeable_by_fewer(ledger, basis)
        beyond = {source: _beyond(ledger, source) for source in sources}
        # All files are named once: of many gaps each would be asked about.
        found = [(part, publications_of(source, part)) for source, part in beyond.items()]
        self._published = [(part, files) for part, files in found if files]
        self._traded = EMPTY
        for source, part in beyond.items():
            if source.exchange in TRADE_HABITS:
                self._traded = self._traded | part

    def of(self, gap: Gap) -> Remedy:
        """What fills the gap; NO_REMEDY where nothing does."""
        if gap.reason is GapReason.NOT_LISTED_YET:
            return NO_REMEDY
        if gap.reason not in (GapReason.BEYOND_REACH, GapReason.BELOW_MINIMUM):
            return self._run_again
        files = self._files(gap.interval)
        if files:
            symbols = dict.fromkeys(str(file.series.symbol) for file in files)
            command = f"candle-ingestor import FOLDER --symbols={','.join(symbols)}"
            return self._place.told(Remedy(command, files))
        if self._traded.meets(gap.interval):
            return self._from_trades
        if gap.reason is GapReason.BELOW_MINIMUM and self._mergeable_by_fewer.meets(gap.interval):
            return self._by_fewer
        return NO_REMEDY

    def _files(self, interval: Interval) -> tuple[Publication, ...]:
        return tuple(
            replace(file, missing=file.missing & IntervalSet((interval,)))
            for part, files in self._published
            if part.meets(interval)
            for file in files
            if file.missing.meets(interval)
        )


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


def _merge_by_fewer(series: Series, basis: MergeBasis | None) -> Remedy:
    """A merge by one exchange less, where that is possible."""
    if basis is None or basis.rules.min_exchanges <= 1:
        return NO_REMEDY
    return Remedy(
        f"candle-ingestor merge --symbols={series.symbol} "
        f"--min_exchanges_required={basis.rules.min_exchanges - 1}{_length(series)}"
    )


def _mergeable_by_fewer(ledger: Ledger, basis: MergeBasis | None) -> IntervalSet:
    if basis is None or basis.rules.min_exchanges <= 1:
        return EMPTY
    covered = (ledger.record(source).covered for source in basis.sources)
    return covered_at_least(covered, basis.rules.min_exchanges - 1)


def _length(series: Series) -> str:
    minutes = series.timeframe.minutes
    return "" if minutes == 1 else f" --candle_granularity_minutes={minutes}"


def _made_of(ledger: Ledger, source: Series) -> Series | None:
    """A series that is made from it now, else one that was made from it once, if there is any."""
    made = sorted(merged_of(ledger, source))
    own = Series(AGGREGATED, source.symbol, source.timeframe)
    if ledger.record(own).merging is not None and own not in made:
        made.append(own)
    in_use = (each for each in made if source in _sources_now(ledger, each))
    return next(in_use, made[0] if made else None)


def _sources_now(ledger: Ledger, made: Series) -> tuple[Series, ...]:
    merging = ledger.record(made).merging
    return () if merging is None else merging.basis.sources


def _is_asked(ledger: Ledger, series: Series, basis: MergeBasis | None) -> bool:
    """Whether a run by the rules that the symbol has now asks for the series."""
    if ledger.record(series).listing.is_delisted:
        return False
    return basis is None or series.is_merged or series in basis.sources


def _beyond(ledger: Ledger, source: Series) -> IntervalSet:
    return ledger.record(source).coverage.reasons.get(GapReason.BEYOND_REACH, EMPTY)
