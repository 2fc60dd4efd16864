"""The command export for other tools: what freqtrade, NautilusTrader and Lean read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from candle_ingestor.bridges.base import Bridge, MonthOfCandles, ScaledSeries
from candle_ingestor.bridges.errors import BridgeError
from candle_ingestor.bridges.gaps_file import SeriesTold, require_folder_of, write_gaps
from candle_ingestor.bridges.scaled_candles import scaled_candles
from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import open_store
from candle_ingestor.commands.stored import last_words, settle_stored
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED, ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import Tool
from candle_ingestor.model.gaps import Gap, explain
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import months_of
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.settle.accounting import merged_gaps, reasons_of
from candle_ingestor.settle.derived import root_of
from candle_ingestor.settle.digits import digits_or_default, own_digits
from candle_ingestor.settle.exporting import series_to_export
from candle_ingestor.settle.ticker import Ticker

log = logging.getLogger(__name__)

_PART = "months"


class _StoppedError(Exception):
    """Between two months the command was told to stop."""


def export_for_tool(tool: Tool, config: Config, clock: Clock, console: Console) -> int:
    """Writes all that the store has of the configured symbols as the tool reads it.

    Minutes that wait to be merged are merged first, as for the partitions. Each file is whole or
    what it was before; `gaps.json` comes last.

    Returns:
        0, or 1 if a series could not be written.

    Raises:
        ConfigurationError: without --output, if it cannot be written or holds what was made for
            another tool, and if the store holds nothing of the symbols.
    """
    root = config.run.output
    if root is None:
        raise ConfigurationError(
            f"--export_format={tool} needs --output, the folder that the files are "
            f"written to, such as --output=data/{tool}"
        )
    bridge = _bridge_of(tool)
    require_writable("--output", root)
    try:
        require_folder_of(root, tool)
    except BridgeError as error:
        raise ConfigurationError(str(error)) from error
    started_ms = clock.now_ms()
    settled = settle_stored("export", config, clock, merges=False, exports=False)
    failures = [
        f"{outcome.symbol}: {error}"
        for outcome in settled.outcomes.values()
        for error in outcome.errors
    ]
    written, stop_reason = 0, settled.stop_reason
    if stop_reason is None:
        export = _Export(tool, bridge, root, config, clock)
        stop_reason = export.run(settled.outcomes)
        failures += export.failures
        written = export.files_written
        for line in export.said:
            say(console, line)
    for failure in failures:
        say(console, failure, "red")
    exported = f"Exported {counted(len(settled.outcomes), 'symbol')} for {tool}"
    seconds = (clock.now_ms() - started_ms) / 1000
    ended = replace(settled, seconds=seconds, stop_reason=stop_reason)
    say(console, last_words(ended, exported, f"{counted(written, 'file')} written"))
    return SOME_TICKERS_FAILED if failures else 0


def _bridge_of(tool: Tool) -> Bridge:
    if tool is Tool.FREQTRADE:
        from candle_ingestor.bridges.freqtrade import FreqtradeBridge

        return FreqtradeBridge()
    if tool is Tool.LEAN:
        from candle_ingestor.bridges.lean import LeanBridge

        return LeanBridge()
    if find_spec("pyarrow") is None:
        raise ConfigurationError(
            "--export_format=nautilus needs the package pyarrow, which is not installed; install "
            f"it with {sys.executable} -m pip install pyarrow"
        )
    from candle_ingestor.bridges.nautilus import NautilusBridge

    return NautilusBridge()


class _Export:
    """One export: what it wrote, what it has to say, and what failed."""

    def __init__(
        self, tool: Tool, bridge: Bridge, root: Path, config: Config, clock: Clock
    ) -> None:
        self._tool = tool
        # As for settling: a Redis that nobody named holds no lock of this store.
        self._config = replace(config, uses_redis=config.names_redis)
        self._clock = clock
        self._root = root
        self._bridge = bridge
        self._closed_end_ms = config.candles.timeframe.closed_end_ms(
            clock.now_ms(), config.candles.settle_seconds
        )
        self._told: list[SeriesTold] = []
        self.files_written = 0
        self.said: list[str] = []
        self.failures: list[str] = []

    def run(self, tickers: Iterable[Ticker]) -> str | None:
        """Writes the series of these tickers. Returns why it ended early, if it did."""
        stop = StopSignal(self._config.run.max_run_seconds)
        with (
            open_store(self._config, self._clock, stop) as opened,
            opened.stopped_without_lock(stop),
            make_progress(self._config.run.progress, stop) as progress,
        ):
            ledger = Ledger(opened.store)
            chosen = list(self._chosen(ledger, tickers))
            months = sum(len(months_of(self._known(ledger, series))) for _, series in chosen)
            progress.begin(f"Exporting for {self._tool}", {_PART: months})
            try:
                for ticker, series in chosen:
                    self._write(ledger, ticker, series, stop, progress)
            except _StoppedError:
                log.info("Of the series in hand some files may be of before")
            self._write_gaps()
        if stop.failure is not None:
            raise stop.failure
        return stop.reason

    def _chosen(self, ledger: Ledger, tickers: Iterable[Ticker]) -> Iterator[tuple[Ticker, Series]]:
        """What there is of what is asked for; of the rest it is said that there is nothing."""
        asked = self._config.export
        for ticker in tickers:
            found = series_to_export(asked, ledger, ticker)
            if not found:
                names = ", ".join(asked.exchanges or ())
                length = ticker.merged.timeframe
                self.failures.append(
                    f"{ticker.symbol}: the store holds no {length} candles of it on {names}"
                )
            for series in found:
                if self._known(ledger, series):
                    yield ticker, series
                elif asked.span is not None:
                    self.failures.append(
                        f"the store knows nothing of {series} in the span that is asked for"
                    )

    def _known(self, ledger: Ledger, series: Series) -> IntervalSet:
        """What is covered of the months that are exported."""
        known = ledger.record(series).covered & IntervalSet.of(
            0, series.timeframe.floor_ms(self._closed_end_ms)
        )
        span = self._config.export.span
        if span is None:
            return known
        return known & IntervalSet(m.interval for m in months_of(known) if m.touches(span))

    def _write(
        self,
        ledger: Ledger,
        ticker: Ticker,
        series: Series,
        stop: StopSignal,
        progress: Progress,
    ) -> None:
        known = self._known(ledger, series)
        scaled = self._scaled(ledger, ticker, series)
        reading = _Reading(
            ledger, scaled, known, series.timeframe.floor_ms(self._closed_end_ms), stop, progress
        )
        try:
            self._bridge.require(scaled)
        except BridgeError as error:
            if ledger.record(series).derivation is None:
                self.failures.append(str(error))
            else:
                # Nobody asked for it by name: it is there for other readers.
                self.said.append(f"Left out: {error}")
            return
        try:
            changed = self._bridge.write(self._root, scaled, reading.months())
        except BridgeError as error:
            self.failures.append(str(error))
            return
        self.files_written += len(changed)
        missing = IntervalSet((reading.span,)) - known
        self._told.append(
            SeriesTold(
                scaled,
                reading.span,
                reading.rows,
                reading.first_open_ms,
                reading.last_open_ms,
                _gaps(ledger, ticker, series, missing),
            )
        )
        rows, files = counted(reading.rows, "candle"), counted(len(changed), "file")
        self.said.append(f"{series.title}: {rows}, {files} written below {self._root}")

    def _scaled(self, ledger: Ledger, ticker: Ticker, series: Series) -> ScaledSeries:
        """The digits asked for, else those it was exported with, else the markets' own (E2)."""
        asked = self._config.export
        price = ticker.price_decimal_digits
        price = asked.price_decimal_digits if price is None else price
        volume = ticker.volume_decimal_digits
        volume = asked.volume_decimal_digits if volume is None else volume
        if price is None or volume is None:
            sources = ticker.sources if series.is_merged else (root_of(ledger, series),)
            own = ledger.record(series).exports.digits
            own = own or digits_or_default(own_digits(ledger, sources))
            price = own[0] if price is None else price
            volume = own[1] if volume is None else volume
        return ScaledSeries(series, price, volume)

    def _write_gaps(self) -> None:
        if self._told:
            try:
                write_gaps(self._root, self._tool, self._told)
            except BridgeError as error:
                self.failures.append(str(error))


class _Reading:
    """The months of one series, read one by one, and what they were when all are read.

    `span` is the whole of the months that are covered, as far as candles are closed.
    """

    def __init__(
        self,
        ledger: Ledger,
        scaled: ScaledSeries,
        known: IntervalSet,
        closed_end_ms: int,
        stop: StopSignal,
        progress: Progress,
    ) -> None:
        self._ledger = ledger
        self._scaled = scaled
        self._known = known
        self._stop = stop
        self._progress = progress
        self._months = months_of(known)
        timeframe = scaled.series.timeframe
        self._spans = [
            Interval(
                timeframe.ceil_ms(month.interval.start_ms), timeframe.ceil_ms(month.interval.end_ms)
            )
            for month in self._months
        ]
        self.span = Interval(
            self._spans[0].start_ms, max(known.end_ms, min(self._spans[-1].end_ms, closed_end_ms))
        )
        self.rows = 0
        self.first_open_ms: int | None = None
        self.last_open_ms: int | None = None

    def months(self) -> Iterator[MonthOfCandles]:
        series = self._scaled.series
        for month, span in zip(self._months, self._spans, strict=True):
            if self._stop.is_set():
                raise _StoppedError
            candles = candles_within(self._ledger.candles(series, span), self._known)
            if not candles.is_empty():
                self.rows += candles.height
                self.last_open_ms = candles["open_time_ms"][-1]
                if self.first_open_ms is None:
                    self.first_open_ms = candles["open_time_ms"][0]
            self._progress.advance(_PART, 1)
            yield MonthOfCandles(month, span, scaled_candles(self._scaled, candles))


def _gaps(ledger: Ledger, ticker: Ticker, series: Series, missing: IntervalSet) -> list[Gap]:
    if series == ticker.merged:
        return merged_gaps(ledger, ticker, missing)
    return explain(missing, reasons_of(ledger, series, missing))
