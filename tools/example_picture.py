"""Makes the chart of docs/worked_example.md from a run of the demo: `make pictures`."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs/examples/crossover.py"
CHART = EXAMPLE.with_suffix(".png")


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "services"), "MPLBACKEND": "Agg"}
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            [sys.executable, "-P", "-m", "candle_ingestor", "demo", "--progress=off"],
            [sys.executable, "-P", str(EXAMPLE), str(CHART)],
        ):
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                sys.exit(f"{command} failed:\n{done.stderr}")
    print(f"{CHART.relative_to(ROOT)}: {done.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
