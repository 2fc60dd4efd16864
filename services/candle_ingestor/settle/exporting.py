"""Exports the months that changed (rules E1 to E4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.gaps import Reasons
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.replacing import ExportResult, Overwriting
from candle_ingestor.partitions.writer import PartitionWriter
from candle_ingestor.settle.accounting import merged_reasons, reasons_of, unsettled
from candle_ingestor.settle.derived import derived_from, root_of
from candle_ingestor.settle.digits import learnt_digits, own_digits
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker

log = logging.getLogger(__name__)

DEFAULT_DIGITS = 8
"""Where neither a market nor a candle tells of any."""


def target_of(
    data_root: Path, file_format: ExportFormat = ExportFormat.CSV, fill: Fill = Fill.NONE
) -> str:
    """What the records call a place that is exported to: `/data`, or `/data (parquet, flat)`."""
    usual = (ExportFormat.CSV, Fill.NONE)
    kinds = [each.value for each in (file_format, fill) if each not in usual]
    root = str(data_root.resolve())
    return f"{root} ({', '.join(kinds)})" if kinds else root


def targets_of(data_root: Path) -> frozenset[str]:
    """Every target that can be below a data root."""
    return frozenset(
        target_of(data_root, file_format, fill) for file_format in ExportFormat for fill in Fill
    )


class Exporter:
    """Writes tickers' series as partitions, and keeps in the ledger what is left to do.

    `on_months` hears of the months of `months_of` that were looked at. `now_ms` is when a month is
    said to be restated, by default the end of the newest closed candle.
    """

    def __init__(
        self,
        config: ExportConfig,
        ledger: Ledger,
        closed_end_ms: int,
        on_months: Callable[[int], object] = lambda months: None,
        now_ms: int | None = None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._closed_end_ms = closed_end_ms
        self._now_ms = closed_end_ms if now_ms is None else now_ms
        self._writers = {
            name: PartitionWriter(config.data_root, FORMATS[name]) for name in config.formats
        }
        self._exported: dict[Series, SeriesRecord] = {}
        self._on_months = on_months

    def months_of(self, ticker: Ticker, *, everything: bool = False) -> int:
        """How many months of its series there are to bring in line, once for each format."""
        months = 0
        for series in self._series_of(ticker):
            record = self._ledger.record(series)
            for name in self._writers:
                fills = Fill if self._config.fill is None else (self._config.fill,)
                targets = [self._target(name, fill) for fill in fills]
                known = [target for target in targets if target in record.exports.backlog]
                months += len(self._months(record, (known or targets)[0], everything)[0])
        return months

    def export(self, ticker: Ticker, outcome: TickerOutcome, *, everything: bool = False) -> None:
        """Exports the months with news, or with `everything` all that there are.

        What cannot be exported fails the ticker; the other series go on.
        """
        chosen = self._series_of(ticker)
        if not chosen:
            names = ", ".join(self._config.exchanges or ())
            outcome.fail(f"the store holds no {ticker.merged.timeframe} candles of it on {names}")
        for each in chosen:
            if self._has_nothing_in_span(each):
                outcome.fail(f"the store knows nothing of {each} in the span that is asked for")
            for name in self._writers:
                try:
                    result = self._export_series(ticker, each, name, everything)
                except PartitionError as error:
                    outcome.fail(str(error))
                    log.error("%s is not exported: %s", each, error)
                    continue
                if result is not None:
                    self._tell(each, name, result, outcome)

    def finish(self) -> None:
        """Notes in the store what was exported; a crash before it costs looking at it again."""
        exported, self._exported = self._exported, {}
        self._ledger.update(exported)

    def _series_of(self, ticker: Ticker) -> tuple[Series, ...]:
        """The series to export, each followed by what is derived from it."""
        asked = self._config.exchanges
        if asked is not None and set(asked) != set(ticker.basis.rules.exchanges):
            return self._own_series(ticker, asked)
        sources = ticker.sources if self._config.exchange_candles else ()
        return tuple(
            each
            for root in (ticker.merged, *sources)
            for each in (root, *derived_from(self._ledger, root))
        )

    def _own_series(self, ticker: Ticker, exchanges: Iterable[str]) -> tuple[Series, ...]:
        """What is stored of these exchanges; what is merged goes before what has its name."""
        merged = {source.exchange: source for source in ticker.sources}
        own = (
            merged.get(name, Series(name, ticker.symbol, ticker.merged.timeframe))
            for name in exchanges
        )
        return tuple(series for series in own if series in self._ledger.records)

    def _has_nothing_in_span(self, series: Series) -> bool:
        span = self._config.span
        covered = self._ledger.record(series).covered
        return span is not None and not covered & IntervalSet((span,))

    def _export_series(
        self, ticker: Ticker, series: Series, name: ExportFormat, everything: bool
    ) -> ExportResult | None:
        # With what the export in another format has noted already.
        record = self._exported.get(series, self._ledger.record(series))
        writer = self._writers[name]
        if not record.covered and writer.fixed_digits(series) is None:
            return None
        fill = self._config.fill or writer.fixed_fill(series) or Fill.NONE
        target = self._target(name, fill)
        sources = ticker.sources if series.is_merged else (root_of(self._ledger, series),)
        whole = self._whole_months((series, *sources))
        closed_end_ms = series.timeframe.floor_ms(self._closed_end_ms)
        reasons: Reasons
        if series == ticker.merged:
            reasons = merged_reasons(self._ledger, ticker, whole - record.covered)
        else:
            reasons = reasons_of(self._ledger, series, whole - record.covered)
        open_minutes = unsettled(self._ledger, series, whole, self._closed_end_ms)
        digits = self._digits(ticker, writer, series, record, sources)
        months, others = self._months(record, target, everything)
        left = len(months)

        def read(interval: Interval) -> pl.DataFrame:
            nonlocal left
            if left:
                left -= 1
                self._on_months(1)
            return self._ledger.candles(series, interval)

        result = writer.export(
            series,
            digits,
            months,
            read,
            # What closed by other rules than the present ones is for a later export.
            record.covered & IntervalSet.of(0, closed_end_ms),
            reasons,
            closed_end_ms,
            open_minutes,
            fill=fill,
            overwriting=Overwriting(
                restates=self._config.restate,
                mends=self._config.mends,
                at_ms=self._now_ms,
                reason=self._config.restate_reason,
            ),
            left_until_ms=record.pruned_until_ms or 0,
            span=self._config.span,
            partial=EMPTY if record.derivation is None else record.derivation.partial,
        )
        self._on_months(left)
        undone = {**others, **result.undone}
        # A folder has one fill: what was exported there with another is no more.
        former = {self._target(name, each) for each in Fill if each is not fill}
        exports = record.exports.without(former).with_exported(target, digits, undone)
        if exports != record.exports:
            self._exported[series] = replace(record, exports=exports)
        return result

    def _whole_months(self, known: Iterable[Series]) -> IntervalSet:
        """Of what is covered in any of these series; whatever was exported lies within."""
        months = {month for one in known for month in months_of(self._ledger.record(one).covered)}
        closed = IntervalSet.of(0, self._closed_end_ms)
        return IntervalSet(month.interval for month in months) & closed

    def _target(self, name: ExportFormat, fill: Fill) -> str:
        return target_of(self._config.data_root, name, fill)

    def _months(
        self, record: SeriesRecord, target: str, everything: bool
    ) -> tuple[dict[Month, int | None], dict[Month, int]]:
        """The months to bring in line, each with its first change, None where it is not known.

        And those that the target lacks outside the span that is asked for.
        """
        # The writer finds by itself what has lost all its coverage.
        stored = months_of(record.covered)
        backlog: Mapping[Month, int] | None = record.exports.backlog.get(target)
        lacking = {month: month.start_ms for month in stored} if backlog is None else backlog
        months: dict[Month, int | None] = dict(lacking)
        if backlog is None or everything:
            months = dict.fromkeys(stored)
        span = self._config.span
        if span is None:
            return months, {}
        return (
            {month: first_ms for month, first_ms in months.items() if month.touches(span)},
            {month: first_ms for month, first_ms in lacking.items() if not month.touches(span)},
        )

    def _digits(
        self,
        ticker: Ticker,
        writer: PartitionWriter,
        series: Series,
        record: SeriesRecord,
        sources: tuple[Series, ...],
    ) -> Digits:
        """The digits asked for, else those already written, else the markets' own (rule E2)."""
        price, volume = ticker.price_decimal_digits, ticker.volume_decimal_digits
        price = self._config.price_decimal_digits if price is None else price
        volume = self._config.volume_decimal_digits if volume is None else volume
        if price is not None and volume is not None:
            return Digits(price, volume)
        own = writer.fixed_digits(series) or record.exports.digits
        if own is None:
            found = own_digits(self._ledger, sources)
            own = (
                DEFAULT_DIGITS if found.price_digits is None else found.price_digits,
                DEFAULT_DIGITS if found.volume_digits is None else found.volume_digits,
            )
        digits = Digits(own[0] if price is None else price, own[1] if volume is None else volume)
        learnt = learnt_digits(self._ledger, sources)
        if price is None:
            _warn_of_rounding(series, "price", digits.price, learnt.price_digits)
        if volume is None:
            _warn_of_rounding(series, "volume", digits.volume, learnt.volume_digits)
        return digits

    def _tell(
        self, series: Series, name: ExportFormat, result: ExportResult, outcome: TickerOutcome
    ) -> None:
        for month in (*result.written, *result.restated):
            outcome.files_written.append(str(self._writers[name].file_of(series, month)))
        for month in result.restated:
            log.warning("%s: the complete month %s was restated (--restate)", series, month)
        for path in result.foreign:
            words = (
                f"{path} is not the file that its manifest tells of, and was left as it is: it was "
                "damaged, or something else wrote it; move it away, or have it written anew by the "
                "command verify with --repair"
            )
            outcome.fail(words)
            log.error("%s: %s", series, words)
        for month in result.refused:
            log.warning(
                "%s: the month %s is marked complete and was left as it is, though the store now "
                "differs; run the command export with --restate to write it anew",
                series,
                month,
            )


def _warn_of_rounding(series: Series, what: str, digits: int, learnt: int | None) -> None:
    if learnt is not None and learnt > digits:
        log.warning(
            "%s is exported with %d %s digits, as before, and its markets have %d: values are "
            "rounded; to have all, export with --%s_decimal_digits=%d to another --data_root",
            series,
            digits,
            what,
            learnt,
            what,
            learnt,
        )
