"""`python -m exchange_simulator`."""

import sys

from exchange_simulator.main import main

if __name__ == "__main__":
    sys.exit(main())
