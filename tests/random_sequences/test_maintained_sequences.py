"""Random sequences of runs with prunes and verifications in between."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playing import play
from sequence import draw_maintained

COUNT = int(os.environ.get("MAINTAINED_SEQUENCES", "40"))
FIRST_SEED = int(os.environ.get("MAINTAINED_SEQUENCES_SEED", "1"))


@pytest.fixture(autouse=True)
def _without_log() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + COUNT))
def test_what_is_said_of_a_store_agrees_with_it_after_every_step(seed: int, tmp_path: Path) -> None:
    play(draw_maintained(seed), tmp_path)
