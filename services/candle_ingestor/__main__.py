"""The console script, and `python -m candle_ingestor`."""

import gc
import importlib
import os
import sys

from candle_ingestor.operations.lasting_output import outlive_readers


def entry_point() -> None:
    """Runs the job. Ctrl-C is met with a line, also while the modules are still being loaded."""
    # The job's libraries make 200,000 objects that live as long as it does. A collection while
    # they are loaded, and each full one later, would walk them all and find nothing to free.
    gc.disable()
    outlive_readers()
    try:
        main = importlib.import_module("candle_ingestor.main")
        sys.exit(main.main(sys.argv, os.environ, when_loaded=_collect_seldom))
    except KeyboardInterrupt:
        print("candle-ingestor: interrupted", file=sys.stderr)
        sys.exit(130)


def _collect_seldom() -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    gc.enable()


if __name__ == "__main__":
    entry_point()
