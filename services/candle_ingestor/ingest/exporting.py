"""Exports the months that a run touched (rules E1 to E4)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from candle_ingestor.config import Config
from candle_ingestor.ingest.accounting import merged_reasons
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.report import TickerReport
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.months import Month, months_of
from candle_ingestor.partitions.scaling import digits_of_precision
from candle_ingestor.partitions.writer import ExportResult, PartitionWriter

log = logging.getLogger(__name__)

DEFAULT_DIGITS = 8
"""Where no market states its precision."""


class Exporter:
    """Writes a ticker's series as partitions, and remembers in the ledger what is exported."""

    def __init__(self, config: Config, ledger: Ledger, now_ms: int) -> None:
        self._config = config
        self._ledger = ledger
        self._writer = PartitionWriter(config.data_root)
        self._closed_end_ms = config.timeframe.closed_end_ms(now_ms, config.settle_seconds)

    def export(self, ticker: Ticker, report: TickerReport, *, everything: bool = False) -> None:
        """Exports the months with news, or with `everything` all that have coverage.

        What cannot be exported fails the ticker; the other series go on.
        """
        series = [ticker.merged]
        if self._config.export_exchange_candles:
            series += ticker.sources
        for each in series:
            try:
                result = self._export_series(ticker, each, everything)
            except PartitionError as error:
                report.fail(str(error))
                log.error("%s is not exported: %s", each, error)
                continue
            self._tell(each, result, report)

    def _export_series(self, ticker: Ticker, series: Series, everything: bool) -> ExportResult:
        record = self._ledger.record(series)
        closed = IntervalSet.of(0, self._closed_end_ms)
        known = months_of(record.covered & closed)
        whole = _span_of(known, closed)
        reasons = record.reasons
        if series.is_merged:
            reasons = merged_reasons(ticker, self._ledger, whole - record.covered)
        months = set(known) if everything else set(months_of(record.unexported & whole))
        months |= set(
            self._writer.stale_months(
                series, record.covered, reasons, self._closed_end_ms, self._settled_end_ms(series)
            )
        )
        digits = self._digits(ticker, series)
        result = self._writer.export(
            series,
            digits,
            months,
            lambda interval: self._ledger.store.read_candles(series, interval),
            record.covered,
            reasons,
            self._closed_end_ms,
            self._settled_end_ms(series),
            restate=self._config.restate,
        )
        self._ledger.update(series, replace(record, unexported=EMPTY, export_digits=digits))
        return result

    def _settled_end_ms(self, series: Series) -> int:
        # A month is complete once its last candles have been read again (rule T2).
        covered = self._ledger.record(series).covered
        if not covered or covered.end_ms < self._closed_end_ms - self._config.refetch_ms:
            return self._closed_end_ms
        return covered.end_ms - self._config.refetch_ms

    def _digits(self, ticker: Ticker, series: Series) -> Digits:
        """The digits asked for, else those already written, else the markets' own (rule E2)."""
        fixed = self._writer.fixed_digits(series)
        last = self._ledger.record(series).export_digits
        if fixed is None and last is not None:
            fixed = Digits(*last)
        markets = [
            market
            for exchange, market in ticker.markets.items()
            if series.is_merged or exchange == series.exchange
        ]
        price = ticker.request.price_decimal_digits
        volume = ticker.request.volume_decimal_digits
        price = self._config.price_decimal_digits if price is None else price
        volume = self._config.volume_decimal_digits if volume is None else volume
        if price is None:
            price = fixed.price if fixed else _finest(market.price_step for market in markets)
        if volume is None:
            volume = fixed.volume if fixed else _finest(market.amount_step for market in markets)
        return Digits(price, volume)

    def _tell(self, series: Series, result: ExportResult, report: TickerReport) -> None:
        for month in (*result.written, *result.restated):
            report.files_written.append(f"{result.folder}/{month.year:04}/{month}.csv")
        for month in result.restated:
            log.warning("%s: the complete month %s was restated (--restate)", series, month)
        for month in result.refused:
            log.warning(
                "%s: the month %s is marked complete and was left as it is, though the store now "
                "differs; run the command export with --restate to write it anew",
                series,
                month,
            )


def _span_of(months: list[Month], closed: IntervalSet) -> IntervalSet:
    return IntervalSet(month.interval for month in months) & closed


def _finest(steps: Iterable[float | None]) -> int:
    digits = [digits_of_precision(step) for step in steps if step]
    return max(digits, default=DEFAULT_DIGITS)
