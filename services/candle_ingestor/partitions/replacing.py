"""Replacement of a series' files such that a crash leaves what was or what is to be.

A month that only grows keeps its file: the manifest says how many bytes of it count. The former
file of any other month keeps a second name until the manifest tells of its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from candle_ingestor.model.months import Month
from candle_ingestor.partitions.files import (
    extend_file,
    former_path,
    keep_former,
    make_read_only,
    remove_file,
    replace_file,
)
from candle_ingestor.partitions.formats.layout import Layout
from candle_ingestor.partitions.manifest import (
    Manifest,
    MonthEntry,
    Restatement,
    write_manifest,
)
from candle_ingestor.partitions.month_content import MonthContent
from candle_ingestor.partitions.unfinished import UnfinishedNote


@dataclass(frozen=True)
class ExportResult:
    """What an export did, months ascending.

    Attributes:
        folder: the series' folder.
        written: months whose file or manifest entry is new or has changed, restated ones apart.
        restated: complete months that were changed, as `restate` allows or a killed restatement
            began.
        refused: complete months that would differ and were left alone. They are refused again by
            every export that names them, until one restates.
        foreign: files of months that were left alone, since they are not the ones that the manifest
            tells of: damaged, or written by something else.
        undone: what the caller keeps in its backlog: the months that were left alone and those that
            have not begun by `closed_end_ms`, each with the open time of its first changed minute,
            the month's start where any may have changed.
    """

    folder: Path
    written: tuple[Month, ...]
    restated: tuple[Month, ...]
    refused: tuple[Month, ...]
    foreign: tuple[Path, ...]
    undone: Mapping[Month, int]


@dataclass(frozen=True)
class Overwriting:
    """What an export may do to files that are not its to change.

    Attributes:
        restates: whether complete months follow what is known (rule E3), and foreign files too.
        mends: whether damaged and foreign files are written anew.
        at_ms: when that is, for the history of a restated month.
        reason: why, in the user's words; None for the words of what differs.
    """

    restates: bool = False
    mends: bool = False
    at_ms: int = 0
    reason: str | None = None


NOTHING_OVERWRITTEN = Overwriting()


class Replacing:
    """One export to one folder: which months it replaced so far, and why others stayed."""

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        manifest: Manifest,
        note: UnfinishedNote,
        overwriting: Overwriting,
    ) -> None:
        self._folder = folder
        self._layout = layout
        self._manifest = manifest
        self._note = note
        self._overwriting = overwriting
        self._entries: dict[Month, MonthEntry] = {}
        self._written: list[Month] = []
        self._restated: list[Month] = []
        self._replaced: list[Path] = []
        self.refused: list[Month] = []
        self.foreign: dict[Month, Path] = {}

    def take(self, month: Month, made: MonthContent, *, is_unfinished: bool) -> None:
        """Brings a month's file in line; what an export left that was killed is this one's own."""
        path = self._folder / self._layout.month_file(month)
        before = self._manifest.months.get(month)
        if is_unfinished:
            # Its former file may be there, whether or not it is replaced again.
            self._replaced.append(path)
        restates = self._overwriting.restates or is_unfinished
        is_foreign = made.on_disk is not None and made.told_bytes is None and not made.is_on_disk
        if is_foreign and not (restates or self._overwriting.mends):
            self.foreign[month] = path
            return
        entry, is_final = made.entry, False
        if before is not None:
            is_final = before.complete
            before = _with_bytes_of(before, entry)
            entry = replace(entry, history=before.history)
            if is_final and not restates:
                if (entry.sha256, entry.gaps) != (before.sha256, before.gaps):
                    self.refused.append(month)
                    return
                # What its sources may still change does not make a month less complete that has
                # all.
                entry = before
            elif is_final and entry != before:
                reason = self._overwriting.reason or _difference(before, entry)
                restated = Restatement(self._overwriting.at_ms, before.sha256, reason)
                entry = replace(entry, history=(*before.history, restated))
        self._write(path, month, made, before, entry)
        if entry != before:
            self._entries[month] = entry
            (self._restated if is_final else self._written).append(month)
        elif not made.is_on_disk:
            self._written.append(month)

    def _write(
        self,
        path: Path,
        month: Month,
        made: MonthContent,
        before: MonthEntry | None,
        entry: MonthEntry,
    ) -> None:
        if made.is_on_disk:
            if entry.complete:
                make_read_only(path)
            return
        grows = before is not None and not before.complete and before.content_bytes is not None
        if grows and made.kept_bytes:
            tail = made.content[made.kept_bytes :]
            extend_file(path, made.kept_bytes, tail, read_only=entry.complete)
            return
        # A damaged file of an entry that stays is mended without a note: nothing that the manifest
        # says comes to differ.
        if entry != before:
            self._note.announce(month, entry.sha256)
        if before is not None:
            keep_former(path)
            self._replaced.append(path)
        replace_file(path, made.content, read_only=entry.complete)

    def write_manifest(self) -> None:
        if self._entries:
            write_manifest(self._folder, self._layout, self._manifest.with_months(self._entries))

    def finish(self, undone: Mapping[Month, int]) -> ExportResult:
        self.write_manifest()
        for path in self._replaced:
            remove_file(former_path(path))
        self._note.remove()
        return ExportResult(
            self._folder,
            tuple(self._written),
            tuple(self._restated),
            tuple(self.refused),
            tuple(self.foreign.values()),
            undone,
        )


def _with_bytes_of(before: MonthEntry, entry: MonthEntry) -> MonthEntry:
    """An entry of a release that did not say how many bytes are told of."""
    if before.content_bytes is None and before.sha256 == entry.sha256:
        return replace(before, content_bytes=entry.content_bytes)
    return before


def _difference(before: MonthEntry, entry: MonthEntry) -> str:
    if before.sha256 != entry.sha256:
        return "the store has other candles"
    if before.gaps != entry.gaps:
        return "the store knows other gaps"
    return "the month is not complete any more"
