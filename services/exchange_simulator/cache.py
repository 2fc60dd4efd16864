"""A least-recently-used cache bounded by the rows it holds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sized
from typing import Generic, TypeVar

__all__ = ["RowBudgetCache"]

Block = TypeVar("Block", bound=Sized)


class RowBudgetCache(Generic[Block]):
    """Keeps blocks of rows up to a budget of rows; the newest block always stays."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._blocks: OrderedDict[Hashable, Block] = OrderedDict()

    @property
    def rows(self) -> int:
        """Rows held now; a block counts as one row at least."""
        return self._rows

    def get_or_make(self, key: Hashable, make: Callable[[], Block]) -> Block:
        """The block kept under `key`, else `make()`, kept from now on."""
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
            return block
        block = make()
        self._blocks[key] = block
        self._rows += max(1, len(block))
        while self._rows > self._max_rows and len(self._blocks) > 1:
            _, dropped = self._blocks.popitem(last=False)
            self._rows -= max(1, len(dropped))
        return block
