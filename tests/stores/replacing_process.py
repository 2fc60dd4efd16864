"""Makes one batch of changes and dies of SIGKILL before its statement number COUNT.

`replacing_process.py PATH COUNT`; with a COUNT beyond the last statement it ends by itself.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw

sys.path.append(str(Path(__file__).parents[1] / "support"))

from replacing import Meanings, three_states

from candle_ingestor.stores.sqlite.store import SqliteStore


class DyingConnection(apsw.Connection):
    statements_left = sys.maxsize

    def execute(self, *arguments: Any) -> apsw.Cursor:  # type: ignore[override]
        self.count_down()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> apsw.Cursor:  # type: ignore[override]
        self.count_down()
        return super().executemany(*arguments)

    def count_down(self) -> None:
        if DyingConnection.statements_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        DyingConnection.statements_left -= 1


def main(path: str, count: int) -> None:
    with patch.object(apsw, "Connection", DyingConnection):
        store = SqliteStore(path)
        # The file is opened by the first reading.
        changes = Meanings().changes(store, three_states("BTC")[1])
    DyingConnection.statements_left = count
    store.replace(changes)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
