"""Plays a sequence and says what was wrong after which step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from content import StoreContent, files_below, read_store
from derived_checks import derived_violations, without_derived
from export_checks import Exports
from invariants import carried_through_violations, end_violations, spans, store_violations
from looking import Looks
from maintained import maintained_violations
from sequence import Sequence, Step
from tampering import tamper
from world import Outcome, World


class WrongStepError(AssertionError):
    """What was wrong, after which step of which sequence."""


def play(sequence: Sequence, folder: Path) -> None:
    """Plays every step and checks what there is after each.

    Raises:
        WrongStepError: at the first step after which something is wrong.
    """
    world = World(sequence, folder)
    exports = Exports()
    looks = Looks()
    before = StoreContent({}, {})
    files: dict[str, str] = {}
    for number, step in enumerate(sequence.steps, 1):
        tampered = tamper(
            world, without_derived(before), step.tampered, f"{sequence.seed} {number}"
        )
        outcome = world.perform(step, number)
        whole = read_store(world.sqlite_path)
        content = without_derived(whole)
        wrong = list(derived_violations(world, whole, step, outcome))
        wrong += list(maintained_violations(world, content, step, outcome))
        wrong += looks.violations(world, content, step, outcome)
        wrong += list(_violations(world, content, step, outcome))
        wrong += exports.violations(world, content, step, outcome)
        is_repeated = number == len(sequence.steps)
        if is_repeated:
            wrong += end_violations(world, content, step, outcome.dropped)
            wrong += _changes(before, whole)
            wrong += [] if files_below(folder_of(world)) == files else ["files were changed"]
        if wrong:
            raise WrongStepError(_told(sequence, number, outcome, [*tampered, *wrong]))
        before, files = whole, files_below(folder_of(world))


def folder_of(world: World) -> Path:
    return world.folder / "csv0"


def _violations(world: World, content: StoreContent, step: Step, outcome: Outcome) -> Iterator[str]:
    yield from store_violations(world, content)
    if step.is_clean and outcome.failure is not None and step.is_last:
        yield f"failed though nothing was made to go wrong: {outcome.failure!r}"
    report = outcome.report
    is_whole = report is None or report.stop_reason is None
    if outcome.is_carried_through and is_whole and step.command in ("ingest", "merge"):
        yield from carried_through_violations(world, content, step, outcome.dropped)


def _changes(before: StoreContent, after: StoreContent) -> Iterator[str]:
    """What a second run at the same time has changed though it was not provisional."""
    for series in after.series:
        record, earlier = after.record(series), before.record(series)
        if record.covered != earlier.covered:
            gained, lost = record.covered - earlier.covered, earlier.covered - record.covered
            yield f"{series}: running again covers {spans(gained)} more, {spans(lost)} less"
        if record.provisional - earlier.provisional:
            more = spans(record.provisional - earlier.provisional)
            yield f"{series}: running again made {more} provisional"
        final = record.covered - earlier.provisional
        if after.within(series, final) != before.within(series, final):
            yield f"{series}: running again changed its candles"


def _told(sequence: Sequence, number: int, outcome: Outcome, wrong: list[str]) -> str:
    lines = [str(sequence), f"after step {number} ({_ending(outcome)}):"]
    return "\n".join(lines + [f"  - {each}" for each in wrong])


def _ending(outcome: Outcome) -> str:
    if outcome.is_crash:
        return "crashed"
    return f"failed: {outcome.failure}" if outcome.failure is not None else "carried through"
