"""The console script, and `python -m candle_ingestor`."""

import importlib
import os
import sys


def entry_point() -> None:
    """Runs the job. Ctrl-C is met with a line, also while the modules are still being loaded."""
    try:
        main = importlib.import_module("candle_ingestor.main")
        sys.exit(main.main(sys.argv, os.environ))
    except KeyboardInterrupt:
        print("candle-ingestor: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    entry_point()
