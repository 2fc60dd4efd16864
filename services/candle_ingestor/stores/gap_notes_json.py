"""Notes on gaps as JSON values, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from candle_ingestor.model.gap_notes import NO_NOTES, GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.stores.record_fields import Fields


def gap_notes_fields(notes: GapNotes) -> dict[str, Any]:
    """The notes as values that JSON knows."""
    return {
        "open": [_note_fields(note) for note in notes.open],
        "filled": [{**_note_fields(note), "filled_ms": note.filled_ms} for note in notes.filled],
    }


def gap_notes_of(fields: Fields | None) -> GapNotes:
    """The notes that `gap_notes_fields` made these values of.

    Notes of nothing, and with a reason that is not known, are passed over.

    Raises:
        RecordError: if a value is malformed.
    """
    if fields is None:
        return NO_NOTES
    return GapNotes(
        tuple(_notes(fields.each_within("open"), is_filled=False)),
        tuple(_notes(fields.each_within("filled"), is_filled=True)),
    )


def _note_fields(note: GapNote) -> dict[str, Any]:
    return {
        "intervals": note.intervals.intervals,
        "reason": note.reason.value,
        "first_seen_ms": note.first_seen_ms,
        "attempts": note.attempts,
        # Flux reads no list in which a value has two types, as text and null are.
        "last_error": note.last_error or "",
    }


def _notes(values: Iterable[Fields], *, is_filled: bool) -> Iterator[GapNote]:
    known = {reason.value for reason in GapReason}
    for fields in values:
        intervals, reason = fields.intervals("intervals"), fields.text("reason")
        if intervals and reason in known:
            yield GapNote(
                intervals,
                GapReason(reason),
                fields.whole_number("first_seen_ms"),
                fields.whole_number("attempts"),
                fields.text("last_error") or None,
                fields.whole_number("filled_ms") if is_filled else None,
            )
