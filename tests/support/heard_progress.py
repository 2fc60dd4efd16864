"""A progress that remembers what it was told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from candle_ingestor.operations.progress import NoProgress


@dataclass
class Phase:
    """What was told of one phase."""

    name: str
    expected: dict[str, int]
    done: Counter[str] = field(default_factory=Counter)
    worked: Counter[str] = field(default_factory=Counter)
    notes: list[tuple[str, str]] = field(default_factory=list)


class HeardProgress(NoProgress):
    """Shows nothing; `phases` are those that were begun, in their order."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []

    def __getitem__(self, name: str) -> Phase:
        """The one phase of that name."""
        [found] = [phase for phase in self.phases if phase.name == name]
        return found

    def begin(self, phase: str, expected: Mapping[str, int] | None = None) -> None:
        self.phases.append(Phase(phase, dict(expected or {})))

    def advance(self, part: str, amount: int, *, is_work: bool = True) -> None:
        self.phases[-1].done[part] += amount
        self.phases[-1].worked[part] += amount if is_work else 0

    def note(self, part: str, words: str) -> None:
        self.phases[-1].notes.append((part, words))
