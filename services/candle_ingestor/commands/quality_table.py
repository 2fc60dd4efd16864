"""Findings on the screen, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from candle_ingestor.commands.saying import say
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted
from candle_ingestor.model.times import minute_text
from candle_ingestor.quality.findings import Finding

_MOST_FINDINGS = 100


def print_findings(
    findings: Sequence[Finding], candles: Mapping[Series, int], console: Console
) -> None:
    """Prints what was found, series by series, and what was looked at."""
    shown = sorted(findings, key=_series_of)[:_MOST_FINDINGS]
    last = None
    for finding in shown:
        if _series_of(finding) != last:
            last = _series_of(finding)
            say(console, f"{finding.exchange} {finding.symbol} {finding.timeframe}", "bold")
        span = f"{minute_text(finding.interval.start_ms)} to {minute_text(finding.interval.end_ms)}"
        say(console, Text.assemble("  ", (finding.rule.value, "yellow"), f"  {span}"))
        say(console, f"    {finding.words}")
    if len(findings) > len(shown):
        say(console, f"and {len(findings) - len(shown):,} more; --format=csv has all")
    looked_at = (
        f"{counted(sum(candles.values()), 'candle')} of {counted(len(candles), 'series', 'series')}"
    )
    if findings:
        say(console, f"{counted(len(findings), 'finding')} in {looked_at}. Nothing was changed.")
    elif any(candles.values()):
        say(console, f"Nothing looks wrong in {looked_at}.", "green")
    else:
        say(console, "There is no candle to look at in this span.", "yellow")


def _series_of(finding: Finding) -> tuple[str, str, int]:
    return str(finding.symbol), finding.exchange, finding.timeframe.minutes
