"""The console script, and `python -m candle_ingestor`."""

import gc
import importlib
import os
import signal
import sys
from types import FrameType


class TerminatedError(BaseException):
    """SIGTERM came where nothing is in hand that would have to be finished."""


_STAYS_WHOLE = "what is stored is whole, and the same command goes on from there"


def entry_point() -> None:
    """Runs the job.

    Ctrl-C and SIGTERM are met with a line, also while the modules are still being loaded.
    """
    signal.signal(signal.SIGTERM, _terminate)
    # The job's libraries make 200,000 objects that live as long as it does. A collection while
    # they are loaded, and each full one later, would walk them all and find nothing to free.
    gc.disable()
    try:
        main = importlib.import_module("candle_ingestor.main")
        sys.exit(main.main(sys.argv, os.environ, when_loaded=_collect_seldom))
    except KeyboardInterrupt:
        print(f"candle-ingestor: interrupted; {_STAYS_WHOLE}", file=sys.stderr)
        sys.exit(130)
    except TerminatedError:
        print(f"candle-ingestor: stopped by SIGTERM; {_STAYS_WHOLE}", file=sys.stderr)
        sys.exit(0)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError


def _collect_seldom() -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    gc.enable()


if __name__ == "__main__":
    entry_point()
