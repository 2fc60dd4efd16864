"""The console script, and `python -m candle_ingestor`."""

import gc
import importlib
import logging
import os
import signal
import sys
from types import FrameType

from candle_ingestor.errors import INTERRUPTED, DependencyError
from candle_ingestor.operations.lasting_output import OutputError, outlive_readers

_STAYS_WHOLE = "what is stored is whole, and the same command goes on from there"


def entry_point() -> None:
    """Runs the job.

    Ctrl-C and SIGTERM are met with a line, also while the modules are still being loaded.
    """
    is_terminated = False

    def terminate(number: int, frame: FrameType | None) -> None:
        nonlocal is_terminated
        is_terminated = True
        # As Ctrl-C, which an event loop ends by.
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, terminate)
    # The job's libraries make 200,000 objects that live as long as it does. A collection while
    # they are loaded, and each full one later, would walk them all and find nothing to free.
    gc.disable()
    outlive_readers()
    try:
        main = importlib.import_module("candle_ingestor.main")
        exit_code = main.main(sys.argv, os.environ, when_loaded=_collect_seldom)
        sys.stdout.flush()
        sys.exit(exit_code)
    except OutputError as error:
        _say(f"standard output cannot be written: {error.strerror}; what is stored is whole")
        sys.exit(DependencyError.exit_code)
    except KeyboardInterrupt as interrupt:
        what_stays = "; ".join(getattr(interrupt, "__notes__", ())) or _STAYS_WHOLE
        _say(f"{'Stopped by SIGTERM' if is_terminated else 'Interrupted'}; {what_stays}")
        sys.exit(0 if is_terminated else INTERRUPTED)


def _say(last_words: str) -> None:
    if logging.getLogger().handlers:
        logging.getLogger(__name__).warning("%s", last_words)
    else:
        print(f"candle-ingestor: {last_words}", file=sys.stderr)


def _collect_seldom() -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    gc.enable()


if __name__ == "__main__":
    entry_point()
