"""What `/query` answers, as frames. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from candle_ingestor.model.texts import shortened

_END_MARK = b"name,tags,name,duration,shardGroupDuration,replicaN,default\n"
_ALWAYS_THERE: dict[str, pl.DataType] = {
    "name": pl.String(),
    "tags": pl.String(),
    "time": pl.Int64(),
}
_LONGEST_SHOWN = 300


class AnswerError(ValueError):
    """An answer that is not what was asked for; the message says what is wrong with it."""


class UnfinishedAnswerError(AnswerError):
    """An answer without its end mark: the statement failed, or its answer was cut short."""


def parse_answer(body: bytes, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The rows of a CSV answer that carries an end mark.

    Args:
        body: the answer to a statement and its end mark.
        columns: the columns to return, `time` among them if wanted, in order.

    Raises:
        UnfinishedAnswerError: if the end mark is missing.
        AnswerError: if it is no such CSV.
    """
    end = body.rfind(_END_MARK)
    if end < 0:
        raise UnfinishedAnswerError("it ends too early")
    if end == 0:
        return pl.DataFrame(schema=dict(columns))
    try:
        return pl.read_csv(
            body[: end - 1],
            schema_overrides={**_ALWAYS_THERE, **columns},
            infer_schema_length=0,
            columns=list(columns),
        ).select(columns.keys())
    except pl.exceptions.PolarsError as error:
        raise AnswerError(
            f"it is not the CSV that was asked for: {shortened(str(error), _LONGEST_SHOWN)}"
        ) from error


def all_columns(body: bytes) -> pl.DataFrame:
    """The rows of a CSV answer as `parse_answer` reads them, with every column it has, as text."""
    header, _, _ = body.partition(b"\n")
    if body.startswith(_END_MARK):
        return pl.DataFrame()
    names = header.decode("utf-8").split(",")
    return parse_answer(body, dict.fromkeys(names, pl.String()))


def failure_in(body: bytes) -> str | None:
    """The reason that a JSON answer gives for a failed statement; None if it names none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    for part in (answer, *_results(answer)):
        if isinstance(part, dict) and part.get("error"):
            return shortened(str(part["error"]), _LONGEST_SHOWN)
    return None


def message_in(body: object) -> str:
    """What the body of a refusal says, cut to a line."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        said = json.loads(text)
    except ValueError:
        return shortened(text, _LONGEST_SHOWN)
    if isinstance(said, dict):
        return shortened(str(said.get("message") or said.get("error") or text), _LONGEST_SHOWN)
    return shortened(text, _LONGEST_SHOWN)


def _results(answer: Mapping[str, object]) -> list[object]:
    results = answer.get("results")
    return results if isinstance(results, list) else []
