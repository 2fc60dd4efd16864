"""Run reports as JSON text, the same in every store. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_REQUIRED = frozenset({"run_id", "started_ms", "status"})


def encode_run(report: Mapping[str, Any]) -> str:
    """The run report as JSON.

    Raises:
        ValueError: if `run_id`, `started_ms` or `status` is missing, or a value is none of JSON's.
    """
    missing = _REQUIRED - report.keys()
    if missing:
        raise ValueError(f"the run report lacks {', '.join(sorted(missing))}")
    try:
        return json.dumps(dict(report), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"the run report cannot be kept as JSON: {error}") from error


def newest_first(report: Mapping[str, Any]) -> tuple[int, str]:
    """What run reports are sorted by, in reverse: the start, then the run's id."""
    return report["started_ms"], report["run_id"]
