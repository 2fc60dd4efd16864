"""What the exports of a series still lack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month, months_of


@dataclass(frozen=True)
class Exports:
    """What the targets of a series' export still lack.

    Attributes:
        backlog: by target, the months that changed since they were exported there, each with the
            open time of its first change. A target that is not named lacks everything.
        digits: price and volume digits of the last export (rule E2).
    """

    backlog: Mapping[str, Mapping[Month, int]] = field(default_factory=dict)
    digits: tuple[int, int] | None = None

    def with_changes(self, changed: IntervalSet) -> Exports:
        """The exports after a change of these minutes: every known target lacks them."""
        if not changed or not self.backlog:
            return self
        months = {
            month: max(month.start_ms, (changed & IntervalSet((month.interval,))).start_ms)
            for month in months_of(changed)
        }
        backlog = {
            target: {
                **lacking,
                **{
                    month: min(first_ms, lacking.get(month, first_ms))
                    for month, first_ms in months.items()
                },
            }
            for target, lacking in self.backlog.items()
        }
        return replace(self, backlog=backlog)

    def without_before(self, time_ms: int) -> Exports:
        """The exports with no word on months that end before or at the time."""
        return replace(
            self,
            backlog={
                target: {
                    month: first_ms
                    for month, first_ms in lacking.items()
                    if month.interval.end_ms > time_ms
                }
                for target, lacking in self.backlog.items()
            },
        )

    def without(self, targets: Collection[str]) -> Exports:
        """The exports with no word on these targets."""
        kept = {name: lacking for name, lacking in self.backlog.items() if name not in targets}
        return replace(self, backlog=kept)

    def with_exported(
        self, target: str, digits: tuple[int, int], remaining: Mapping[Month, int]
    ) -> Exports:
        """The exports after one to `target` that left only `remaining` undone."""
        return Exports({**self.backlog, target: dict(remaining)}, digits)


NO_EXPORTS = Exports()
