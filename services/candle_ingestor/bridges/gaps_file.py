"""`gaps.json` beside a tool's files: what is not in them, and why (as in E4)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candle_ingestor.bridges.base import ScaledSeries
from candle_ingestor.bridges.errors import BridgeError, cannot_write
from candle_ingestor.bridges.files import write_file
from candle_ingestor.model.export_forms import Tool
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.times import iso_text, iso_text_if

FILE_NAME = "gaps.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SeriesTold:
    """What is said of one series that was written.

    Attributes:
        span: the time that its files tell of, half-open.
        first_open_ms: open time of the first candle; None where there is none.
        gaps: the time of `span` that is not known, ascending.
    """

    scaled: ScaledSeries
    span: Interval
    rows: int
    first_open_ms: int | None
    last_open_ms: int | None
    gaps: Sequence[Gap]


def require_folder_of(root: Path, tool: Tool) -> None:
    """Proves that the folder was not made for another tool.

    Raises:
        BridgeError: if it was, or its `gaps.json` cannot be read.
    """
    _read(root / FILE_NAME, tool)


def write_gaps(root: Path, tool: Tool, told: Sequence[SeriesTold]) -> None:
    """Says this of these series in the folder's `gaps.json`; what it says of others stays.

    Raises:
        BridgeError: as `require_folder_of`, and if it cannot be written; the one before is then
            whole.
    """
    path = root / FILE_NAME
    series = _read(path, tool) | {_key(each): _to_json(each) for each in told}
    lines = ",\n".join(f"  {json.dumps(series[key])}" for key in sorted(series))
    head = {"format_version": FORMAT_VERSION, "export_format": tool}
    said = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    text = "\n".join(("{", *said, ' "series": [', lines, " ]", "}", ""))
    write_file(path, text.encode())


def _read(path: Path, tool: Tool) -> dict[tuple[str, ...], Mapping[str, Any]]:
    try:
        values = json.loads(path.read_bytes())
        version, made_for = values["format_version"], values["export_format"]
        series = {_key_of(each): each for each in values["series"]}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise cannot_write(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BridgeError(
            f"{path} is none that this job wrote: {error!r}; remove it, or give another --output"
        ) from error
    if version != FORMAT_VERSION or made_for != tool:
        raise BridgeError(
            f"{path} tells of an export for {made_for}, version {version}, and one for "
            f"{tool}, version {FORMAT_VERSION}, would be written there; give another "
            "--output"
        )
    return series


def _key(told: SeriesTold) -> tuple[str, ...]:
    return _key_of(told.scaled.series.fields)


def _key_of(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return (fields["exchange"], fields["symbol"], fields["timeframe"])


def _to_json(told: SeriesTold) -> dict[str, Any]:
    return {
        **told.scaled.series.fields,
        "price_decimal_digits": told.scaled.price_digits,
        "volume_decimal_digits": told.scaled.volume_digits,
        "rows": told.rows,
        "first_timestamp": iso_text_if(told.first_open_ms),
        "last_timestamp": iso_text_if(told.last_open_ms),
        "known_from": iso_text(told.span.start_ms),
        "known_until": iso_text(told.span.end_ms),
        "gaps": [
            {
                "start": iso_text(gap.interval.start_ms),
                "end": iso_text(gap.interval.end_ms),
                "reason": gap.reason.value,
            }
            for gap in told.gaps
        ],
    }
